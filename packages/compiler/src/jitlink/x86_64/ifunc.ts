import { type Block, Edge, KEEP_ALIVE, type LinkGraph, LinkSymbol } from '../link-graph.js';
import { X86_64_EDGES } from './edges.js';

/** Where thunks and their slots are. */
const THUNK_SECTION = '.text.$ifunc';
const SLOT_SECTION = '.bss.$ifunc';
const THUNK_ALIGNMENT = 16;
/** The answer, and the thread pointer of the thread that has gone to get it. */
const SLOT_BYTES = 16;
const SLOT_ALIGNMENT = 8;

/**
 * The code of an indirect function, for GNU as: jumps to what the resolver has answered, which `slot` keeps. The first call
 * runs the resolver. It is not in the way of a call: all argument registers are as they were, the vector registers with them
 * (state components 0xe7: x87, SSE, AVX and the parts of AVX-512; XSAVE where the system enables it, CPUID 1 ECX bit 27). Others
 * that call meanwhile wait for its answer (FUTEX_WAIT, 202), and run the resolver too when there is none after five seconds: the call of
 * the first may have ended without one. The first answer is everybody's. A second frame record, with a return address in the thunk, has it in the
 * backtrace of a resolver that makes no frame of its own.
 */
export const IFUNC_THUNK: readonly (readonly [bytes: string, instruction: string])[] = [
  ['4c8b1d00000000', 'movq slot(%rip), %r11'],
  ['4d85db', 'testq %r11, %r11'],
  ['7403', 'jz 1f'],
  ['41ffe3', 'jmpq *%r11'],
  ['55', '1: pushq %rbp'],
  ['4889e5', 'movq %rsp, %rbp'],
  ['57', 'pushq %rdi'],
  ['56', 'pushq %rsi'],
  ['52', 'pushq %rdx'],
  ['51', 'pushq %rcx'],
  ['4150', 'pushq %r8'],
  ['4151', 'pushq %r9'],
  ['50', 'pushq %rax'],
  ['4152', 'pushq %r10'],
  ['53', 'pushq %rbx'],
  ['64488b3c2500000000', 'movq %fs:0, %rdi'],
  ['31c0', 'xorl %eax, %eax'],
  ['f0480fb13d00000000', 'lock cmpxchgq %rdi, slot+8(%rip)'],
  ['7436', 'je 7f'],
  ['4839f8', 'cmpq %rdi, %rax'],
  ['7431', 'je 7f'],
  ['6a00', 'pushq $0'],
  ['6a05', 'pushq $5'],
  ['488d3d00000000', 'leaq slot(%rip), %rdi'],
  ['be80000000', 'movl $0x80, %esi'],
  ['31d2', 'xorl %edx, %edx'],
  ['4989e2', 'movq %rsp, %r10'],
  ['b8ca000000', '5: movl $0xca, %eax'],
  ['0f05', 'syscall'],
  ['83f8fc', 'cmpl $-4, %eax'],
  ['74f4', 'je 5b'],
  ['4c8b1d00000000', 'movq slot(%rip), %r11'],
  ['4d85db', 'testq %r11, %r11'],
  ['0f85e1000000', 'jnz 6f'],
  ['4c8d1da4000000', '7: leaq 3f(%rip), %r11'],
  ['4153', 'pushq %r11'],
  ['55', 'pushq %rbp'],
  ['4889e5', 'movq %rsp, %rbp'],
  ['b801000000', 'movl $1, %eax'],
  ['0fa2', 'cpuid'],
  ['0fbae11b', 'btl $27, %ecx'],
  ['7374', 'jnc 2f'],
  ['b80d000000', 'movl $0xd, %eax'],
  ['31c9', 'xorl %ecx, %ecx'],
  ['0fa2', 'cpuid'],
  ['4829dc', 'subq %rbx, %rsp'],
  ['4883e4c0', 'andq $-64, %rsp'],
  ['31c9', 'xorl %ecx, %ecx'],
  ['48898c2400020000', 'movq %rcx, 512(%rsp)'],
  ['48898c2408020000', 'movq %rcx, 520(%rsp)'],
  ['48898c2410020000', 'movq %rcx, 528(%rsp)'],
  ['48898c2418020000', 'movq %rcx, 536(%rsp)'],
  ['48898c2420020000', 'movq %rcx, 544(%rsp)'],
  ['48898c2428020000', 'movq %rcx, 552(%rsp)'],
  ['48898c2430020000', 'movq %rcx, 560(%rsp)'],
  ['48898c2438020000', 'movq %rcx, 568(%rsp)'],
  ['31d2', 'xorl %edx, %edx'],
  ['b8e7000000', 'movl $0xe7, %eax'],
  ['480fae2424', 'xsave64 (%rsp)'],
  ['e800000000', 'callq resolver'],
  ['4989c3', 'movq %rax, %r11'],
  ['31d2', 'xorl %edx, %edx'],
  ['b8e7000000', 'movl $0xe7, %eax'],
  ['480fae2c24', 'xrstor64 (%rsp)'],
  ['eb1d', 'jmp 3f'],
  ['4881ec00020000', '2: subq $512, %rsp'],
  ['4883e4c0', 'andq $-64, %rsp'],
  ['480fae0424', 'fxsave64 (%rsp)'],
  ['e800000000', 'callq resolver'],
  ['4989c3', 'movq %rax, %r11'],
  ['480fae0c24', 'fxrstor64 (%rsp)'],
  ['488b6d00', '3: movq (%rbp), %rbp'],
  ['31c0', 'xorl %eax, %eax'],
  ['4d85db', 'testq %r11, %r11'],
  ['7453', 'jz 4f'],
  ['f04c0fb11d00000000', 'lock cmpxchgq %r11, slot(%rip)'],
  ['4c0f45d8', 'cmovneq %rax, %r11'],
  ['4c89db', 'movq %r11, %rbx'],
  ['488d3d00000000', 'leaq slot(%rip), %rdi'],
  ['be81000000', 'movl $0x81, %esi'],
  ['baffffff7f', 'movl $0x7fffffff, %edx'],
  ['b8ca000000', 'movl $0xca, %eax'],
  ['0f05', 'syscall'],
  ['4989db', 'movq %rbx, %r11'],
  ['488b7df8', '6: movq -8(%rbp), %rdi'],
  ['488b75f0', 'movq -16(%rbp), %rsi'],
  ['488b55e8', 'movq -24(%rbp), %rdx'],
  ['488b4de0', 'movq -32(%rbp), %rcx'],
  ['4c8b45d8', 'movq -40(%rbp), %r8'],
  ['4c8b4dd0', 'movq -48(%rbp), %r9'],
  ['488b45c8', 'movq -56(%rbp), %rax'],
  ['4c8b55c0', 'movq -64(%rbp), %r10'],
  ['488b5db8', 'movq -72(%rbp), %rbx'],
  ['c9', 'leave'],
  ['41ffe3', 'jmpq *%r11'],
  ['0f0b', '4: ud2'],
];

/** Fields of 4 bytes, each at the end of its instruction. */
const FIELDS = fields();
const TRAP_BYTES = 2;

/** What the trap is called, which a thread runs into when a resolver answers null. */
export function nullAnswerName(name: string): string {
  return `${name}, whose resolver has answered null`;
}

/**
 * Adds the code of an indirect function. Its slot belongs to the graph that has the resolver, as what is linked of the
 * functions that it may lead to does.
 * @param resolver its code, not its stub.
 */
export function addIfuncThunk(graph: LinkGraph, name: string, resolver: LinkSymbol): Block {
  const code = Uint8Array.from(Buffer.from(IFUNC_THUNK.map(([bytes]) => bytes).join(''), 'hex'));
  const thunk = graph.addBlock(graph.section(THUNK_SECTION, 'code'), code, code.byteLength, {
    alignment: THUNK_ALIGNMENT,
  });
  const slots = graph.section(SLOT_SECTION, 'data');
  // Mergeable: it goes where the thunk goes, and is no data that outlives what it leads to.
  const slot = graph.addBlock(slots, null, SLOT_BYTES, { alignment: SLOT_ALIGNMENT, mergeable: true });
  const targets = { slot: graph.addAnonymousSymbol(slot, 0), resolver };
  for (const { offset, of, addend } of FIELDS)
    thunk.edges.push(new Edge(X86_64_EDGES.Delta32.kind, offset, targets[of], addend));
  const trap = graph.addSymbol(
    new LinkSymbol({
      name: nullAnswerName(name),
      kind: 'defined',
      block: thunk,
      offset: code.byteLength - TRAP_BYTES,
      sizeBytes: TRAP_BYTES,
      callable: true,
    }),
  );
  thunk.edges.push(new Edge(KEEP_ALIVE, 0, trap, 0n));
  return thunk;
}

function fields() {
  const found: { readonly offset: number; readonly of: 'slot' | 'resolver'; readonly addend: bigint }[] = [];
  let end = 0;
  for (const [bytes, instruction] of IFUNC_THUNK) {
    end += bytes.length / 2;
    const [, of, plus = '0'] = /\b(slot|resolver)(?:\+(\d+))?/.exec(instruction) ?? [];
    if (of === 'slot' || of === 'resolver') found.push({ offset: end - 4, of, addend: BigInt(plus) - 4n });
  }
  return found;
}
