import test from 'ava';
import {
  Assembler,
  CONDITION,
  type Condition,
  GPR,
  type Gpr,
  Label,
  SCALAR,
  type Scalar,
} from '../../../../../src/frontends/kaleidoscope/baseline/x86_64/assembler.js';
import { KEEP_ALIVE } from '../../../../../src/jitlink/link-graph.js';
import { X86_64_EDGES } from '../../../../../src/jitlink/x86_64/edges.js';
import { assembledBy, LLVM_MCS } from '../llvm-mc.js';

/** An instruction in AT&T syntax, and how it is asked for; with where its field is, for one that refers to something. */
interface Instruction {
  readonly text: string;
  emit(assembler: Assembler): unknown;
}

const GPRS = Object.entries(GPR) as [keyof typeof GPR, Gpr][];
const GPR32: Readonly<Record<keyof typeof GPR, string>> = {
  rax: 'eax',
  rcx: 'ecx',
  rdx: 'edx',
  rbx: 'ebx',
  rsp: 'esp',
  rbp: 'ebp',
  rsi: 'esi',
  rdi: 'edi',
};
const XMMS = Array.from({ length: 16 }, (_, index) => index);
/** On both sides of where an encoding gets longer. */
const DISPLACEMENTS = [0, 8, 127, 128, -8, -128, -129, 0x1234, -0x12345, 2 ** 31 - 8, -(2 ** 31)];
const DOUBLES = [1, -1, -0, 0.1, 1e308, 5e-324, Infinity, -Infinity, NaN];
const FRAMES = [8, 16, 127, 128, 4096, 65_536];

/** Every method with every register, memory operand and constant of a kind that changes its encoding. */
function* instructions(): Generator<Instruction> {
  yield { text: 'leave', emit: (a) => a.leave() };
  yield { text: 'retq', emit: (a) => a.ret() };
  yield { text: 'setb %al', emit: (a) => a.setbAl() };
  yield { text: 'movzbl %al, %eax', emit: (a) => a.movzxAl() };
  yield { text: 'callq f@PLT', emit: (a) => a.call() };
  for (const bytes of [0, 6, 127]) yield { text: `jmp .+${2 + bytes}`, emit: (a) => a.jmpOver(bytes) };
  for (const bytes of FRAMES) yield { text: `subq $${bytes}, %rsp`, emit: (a) => a.subRsp(bytes) };
  for (const [name, register] of GPRS) yield* generalInstructions(name, register);
  for (const condition of Object.keys(CONDITION) as Condition[])
    yield* [
      { text: `j${condition} .+366`, emit: (a: Assembler) => a.jcc(condition, labelAhead(a, 366)) },
      { text: `j${condition} .+23`, emit: (a: Assembler) => a.jccOver(condition, 21) },
    ];
  yield { text: 'jmp .+365', emit: (a) => a.jmp(labelAhead(a, 365)) };
  for (const xmm of XMMS) yield* doubleInstructions(xmm);
}

function* generalInstructions(name: keyof typeof GPR, register: Gpr): Generator<Instruction> {
  const name32 = GPR32[name];
  yield { text: `pushq %${name}`, emit: (a) => a.push(register) };
  yield { text: `movabsq $somewhere, %${name}`, emit: (a) => a.movAddress(register) };
  yield { text: `callq *%${name}`, emit: (a) => a.callRegister(register) };
  yield { text: `incl %${name32}`, emit: (a) => a.inc32(register) };
  yield { text: `movl somewhere(%rip), %${name32}`, emit: (a) => a.mov32LoadRip(register) };
  yield { text: `movl %${name32}, somewhere(%rip)`, emit: (a) => a.mov32StoreRip(register) };
  yield { text: `cmpl somewhere(%rip), %${name32}`, emit: (a) => a.cmp32Rip(register) };
  yield { text: `leaq somewhere(%rip), %${name}`, emit: (a) => a.leaRip(register) };
  for (const [other, from] of GPRS)
    yield { text: `movq %${other}, %${name}`, emit: (a) => a.mov(register, from) };
  for (const value of DOUBLES)
    yield { text: `movabsq $${bitsOf(value)}, %${name}`, emit: (a) => a.movDoubleBits(register, value) };
  for (const displacement of DISPLACEMENTS) {
    const place = `${displacement}(%${name})`;
    yield { text: `movq ${place}, %rdi`, emit: (a) => a.movLoad(GPR.rdi, register, displacement) };
    yield { text: `movq %rdx, ${place}`, emit: (a) => a.movStore(register, displacement, GPR.rdx) };
    yield { text: `testl %eax, ${place}`, emit: (a) => a.testMemory(register, displacement, GPR.rax) };
  }
}

function* doubleInstructions(to: number): Generator<Instruction> {
  for (const [name, from] of GPRS) {
    yield { text: `cvtsi2sdl %${GPR32[name]}, %xmm${to}`, emit: (a) => a.cvtsi2sd(to, from) };
    yield { text: `movq %${name}, %xmm${to}`, emit: (a) => a.movqFromGpr(to, from) };
    for (const displacement of DISPLACEMENTS) {
      const place = `${displacement}(%${name})`;
      yield { text: `movsd ${place}, %xmm${to}`, emit: (a) => a.movsdLoad(to, from, displacement) };
      yield { text: `movsd %xmm${to}, ${place}`, emit: (a) => a.movsdStore(from, displacement, to) };
      for (const operation of Object.keys(SCALAR) as Scalar[])
        yield {
          text: `${operation} ${place}, %xmm${to}`,
          emit: (a) => a.scalarMemory(operation, to, from, displacement),
        };
    }
  }
  for (const from of XMMS) {
    yield { text: `movaps %xmm${from}, %xmm${to}`, emit: (a) => a.movaps(to, from) };
    yield { text: `xorps %xmm${from}, %xmm${to}`, emit: (a) => a.xorps(to, from) };
    yield { text: `ucomisd %xmm${from}, %xmm${to}`, emit: (a) => a.ucomisd(to, from) };
    for (const operation of Object.keys(SCALAR) as Scalar[])
      yield { text: `${operation} %xmm${from}, %xmm${to}`, emit: (a) => a.scalar(operation, to, from) };
  }
}

function contentOf(assembler: Assembler): Uint8Array {
  const content = new Uint8Array(assembler.length);
  assembler.copyTo(content, 0);
  return content;
}

/** As if it had been bound before the code. */
function labelAhead(assembler: Assembler, distance: number): Label {
  const label = new Label();
  label.offset = assembler.length + distance;
  return label;
}

function bitsOf(value: number): string {
  const view = new DataView(new ArrayBuffer(8));
  view.setFloat64(0, value);
  return `0x${view.getBigUint64(0).toString(16)}`;
}

test('every method of the assembler is compared', (t) => {
  const used = new Set<string>();
  const spy = new Proxy(new Assembler(), {
    get: (target, name) => {
      used.add(String(name));
      const value = Reflect.get(target, name, target) as unknown;
      return typeof value === 'function' ? value.bind(target) : value;
    },
  });
  for (const { emit } of instructions()) emit(spy);
  const methods = Object.getOwnPropertyNames(Assembler.prototype);
  // What is no instruction.
  const others = ['constructor', 'copyTo', 'reset', 'bind'];
  t.deepEqual(methods.filter((name) => !used.has(name)).sort(), others.sort());
});

for (const llvmMC of LLVM_MCS)
  test(`encodings are those of ${llvmMC}`, (t) => {
    const all = [...instructions()];
    const assembler = new Assembler();
    const offsets: number[] = [];
    const fields: number[] = [];
    for (const { emit } of all) {
      offsets.push(assembler.length);
      const field = emit(assembler);
      if (typeof field === 'number') fields.push(field);
    }
    const content = contentOf(assembler);
    const expected = assembledBy(llvmMC, all.map(({ text }) => `${text}\n`).join(''));
    const theirs = expected.content ?? new Uint8Array();
    const at = content.findIndex((byte, index) => byte !== theirs[index]);
    const wrong = offsets.findLastIndex((offset) => offset <= at);
    const bytes = (of: Uint8Array) =>
      Buffer.from(of.subarray(offsets[wrong], offsets[wrong + 1])).toString('hex');
    if (at >= 0) t.fail(`${all[wrong]?.text}: ${bytes(content)}, not ${bytes(theirs)}`);
    t.is(content.byteLength, theirs.byteLength);
    const references = expected.edges.filter(({ kind }) => kind !== KEEP_ALIVE);
    t.deepEqual(
      references.map(({ offset }) => offset),
      fields,
    );
    t.true(
      references.every(({ kind, addend }) => addend === (kind === X86_64_EDGES.Pointer64.kind ? 0n : -4n)),
    );
    t.true(all.length > 5000);
  });

if (LLVM_MCS.length === 0) test.skip('encodings are those of llvm-mc: there is none here', (t) => t.pass());

test('jumps lead to their labels, bound before and after them, over code that grows', (t) => {
  const assembler = new Assembler();
  const [back, ahead] = [new Label(), new Label()];
  assembler.bind(back);
  assembler.jcc('e', ahead);
  assembler.jmp(ahead);
  for (let i = 0; i < 1000; i++) assembler.ret();
  assembler.bind(ahead);
  assembler.jmp(back);
  const view = new DataView(contentOf(assembler).buffer);
  t.is(view.getInt32(2, true), 5 + 1000);
  t.is(view.getInt32(7, true), 1000);
  t.is(view.getInt32(12 + 1000, true), -(11 + 1000 + 5));
});

test('a new beginning forgets the code, and what was taken of it stays', (t) => {
  const assembler = new Assembler();
  assembler.ret();
  const content = contentOf(assembler);
  assembler.reset();
  assembler.leave();
  t.deepEqual([...content], [0xc3]);
  t.deepEqual([...contentOf(assembler)], [0xc9]);
});
