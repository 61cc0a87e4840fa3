import test from 'ava';
import { buildLinkGraph } from '../../../src/jitlink/elf/elf.js';
import { ElfObject, SHT_RELA } from '../../../src/jitlink/elf/object.js';
import { LinkError } from '../../../src/jitlink/errors.js';
import { R_X86_64 } from '../../../src/jitlink/x86_64/elf-relocations.js';
import { BASES, linkAt } from '../linking.js';
import { assemble } from '../toolchain.js';

type Row = keyof typeof R_X86_64;
/** Those that are linked. The others are refused by name, which `elf.test.ts` shows for each. */
type LinkedRow = { [Name in Row]: (typeof R_X86_64)[Name] extends { edge: string } ? Name : never }[Row];

/** Where things are in a link: `foo`, sections, the thread pointer. */
interface Places {
  readonly foo?: bigint;
  readonly constant?: bigint;
  readonly threadPointer?: bigint;
  /** What is assembled instead. */
  readonly source?: string;
}

interface Case {
  /** At the start of `.text`, behind the label `f`. */
  readonly source: string;
  readonly fits: readonly Places[];
  /** What fits no more; or why there is nothing. */
  readonly overflows: readonly Places[] | string;
  /** The relocation that the assembler writes, which does not know this one. */
  readonly insteadOf?: Row;
}

/** Of the first field, where the source is nothing but that. */
const P = BASES.code;
const FAR = 0x7fff_f7e0_1230n;
const REACH = 2n ** 31n;
const ANY = 'any address or distance fits 64 bits';
const VARIABLE = `
  .section .tdata,"awT",@progbits
  .globl x
  .type x, @object
  x: .quad 1`;
const GOT_BASE = '; lea _GLOBAL_OFFSET_TABLE_(%rip), %rbx';

/** An operand of four bytes behind so many others, which leads to the GOT: its section is the next 8 bytes too far. */
const toGOT = (behindBytes: number): Pick<Case, 'fits' | 'overflows'> => {
  const last = ((P + BigInt(behindBytes) + 4n + REACH - 1n) / 8n) * 8n;
  return {
    fits: [{ foo: FAR }, { foo: FAR, constant: last }],
    overflows: [{ foo: FAR, constant: last + 8n }],
  };
};

/** A distance of four bytes from the thread pointer to the start of the variables. */
const FROM_THREAD_POINTER: Pick<Case, 'fits' | 'overflows'> = {
  fits: [{ threadPointer: BASES.thread + REACH }, { threadPointer: BASES.thread - REACH + 1n }],
  overflows: [{ threadPointer: BASES.thread + REACH + 1n }, { threadPointer: BASES.thread - REACH }],
};
const LOCAL_DYNAMIC = 'lea x@tlsld(%rip), %rdi; call __tls_get_addr@PLT;';

/** Each relocation that an object may have, by what the psABI calls it. */
const CASES: Readonly<Record<LinkedRow, Case>> = {
  R_X86_64_NONE: {
    source: '.quad 0; .reloc f, R_X86_64_NONE, foo',
    fits: [{ foo: FAR }],
    overflows: 'it has no field',
  },
  R_X86_64_64: { source: '.quad foo', fits: [{ foo: 2n ** 64n - 1n }, { foo: 0n }], overflows: ANY },
  R_X86_64_PC32: {
    source: '.long foo - .',
    fits: [{ foo: P + REACH - 1n }, { foo: P - REACH }],
    overflows: [{ foo: P + REACH }, { foo: P - REACH - 1n }],
  },
  R_X86_64_GOT32: {
    source: `.long foo@GOT${GOT_BASE}`,
    fits: [{ foo: FAR }],
    overflows: 'no GOT of a graph has 2 GiB',
  },
  R_X86_64_PLT32: {
    source: 'call foo@PLT',
    fits: [{ foo: P }, { foo: FAR }],
    overflows: 'what is far is called through a stub beside the code',
  },
  R_X86_64_GOTPCREL: { source: 'pushq foo@GOTPCREL(%rip)', ...toGOT(2) },
  R_X86_64_32: {
    source: '.long foo',
    fits: [{ foo: 2n ** 32n - 1n }, { foo: 0n }],
    overflows: [{ foo: 2n ** 32n }, { foo: 2n ** 64n - 1n }],
  },
  R_X86_64_32S: {
    source: 'movq $foo, %rax',
    fits: [{ foo: REACH - 1n }, { foo: 2n ** 64n - REACH }],
    overflows: [{ foo: REACH }, { foo: 2n ** 64n - REACH - 1n }],
  },
  R_X86_64_16: {
    source: '.word foo',
    fits: [{ foo: 0xffffn }, { foo: 2n ** 64n - 0x8000n }],
    overflows: [{ foo: 0x1_0000n }, { foo: 2n ** 64n - 0x8001n }],
  },
  R_X86_64_PC16: {
    source: '.word foo - .',
    fits: [{ foo: P + 0x7fffn }, { foo: P - 0x8000n }],
    overflows: [{ foo: P + 0x8000n }, { foo: P - 0x8001n }],
  },
  R_X86_64_8: {
    source: '.byte foo',
    fits: [{ foo: 0xffn }, { foo: 2n ** 64n - 0x80n }],
    overflows: [{ foo: 0x100n }, { foo: 2n ** 64n - 0x81n }],
  },
  R_X86_64_PC8: {
    source: '.byte foo - .',
    fits: [{ foo: P + 0x7fn }, { foo: P - 0x80n }],
    overflows: [{ foo: P + 0x80n }, { foo: P - 0x81n }],
  },
  R_X86_64_DTPOFF64: {
    source: `${LOCAL_DYNAMIC} movabs $x@dtpoff, %rcx${VARIABLE}`,
    fits: [{}, { threadPointer: 0n }],
    overflows: ANY,
  },
  R_X86_64_TPOFF64: { source: `.quad x@tpoff${VARIABLE}`, fits: [{}, { threadPointer: 0n }], overflows: ANY },
  R_X86_64_TLSGD: {
    source: `data16 lea x@tlsgd(%rip), %rdi; .value 0x6666; rex64 call __tls_get_addr@PLT${VARIABLE}`,
    ...FROM_THREAD_POINTER,
  },
  R_X86_64_TLSLD: {
    source: `${LOCAL_DYNAMIC}${VARIABLE}`,
    fits: [{}, { threadPointer: 0n }],
    overflows: 'it becomes code that reads the thread pointer, without a field',
  },
  R_X86_64_DTPOFF32: {
    source: `${LOCAL_DYNAMIC} lea x@dtpoff(%rax), %rcx${VARIABLE}`,
    ...FROM_THREAD_POINTER,
  },
  R_X86_64_GOTTPOFF: { source: `mov x@gottpoff(%rip), %rax${VARIABLE}`, ...FROM_THREAD_POINTER },
  R_X86_64_TPOFF32: { source: `mov %fs:x@tpoff, %rax${VARIABLE}`, ...FROM_THREAD_POINTER },
  R_X86_64_PC64: { source: '.quad foo - .', fits: [{ foo: 0n }, { foo: 2n ** 64n - 1n }], overflows: ANY },
  R_X86_64_GOTOFF64: {
    source: `movabs $foo@GOTOFF, %rax${GOT_BASE}`,
    fits: [{ foo: 0n }, { foo: FAR }],
    overflows: ANY,
  },
  R_X86_64_GOTPC32: { source: `lea _GLOBAL_OFFSET_TABLE_(%rip), %rbx; movabs $foo@GOT, %rax`, ...toGOT(3) },
  R_X86_64_GOT64: { source: `movabs $foo@GOT, %rax${GOT_BASE}`, fits: [{ foo: FAR }], overflows: ANY },
  R_X86_64_GOTPCREL64: {
    source: '.quad foo@GOTPCREL',
    fits: [{ foo: FAR }, { foo: FAR, constant: 0x1000n }],
    overflows: ANY,
  },
  R_X86_64_GOTPC64: {
    source: 'movabs $_GLOBAL_OFFSET_TABLE_ - f, %rbx; movabs $foo@GOT, %rax',
    fits: [{ foo: FAR }, { foo: FAR, constant: 0x1000n }],
    overflows: ANY,
  },
  R_X86_64_GOTPLT64: { source: `movabs $foo@GOTPLT, %rax${GOT_BASE}`, fits: [{ foo: FAR }], overflows: ANY },
  R_X86_64_PLTOFF64: { source: `movabs $foo@PLTOFF, %rax${GOT_BASE}`, fits: [{ foo: FAR }], overflows: ANY },
  R_X86_64_SIZE32: {
    source: '.long foo@SIZE; .data; .globl foo; .size foo, 0xffffffff; foo: .byte 1',
    fits: [{}],
    overflows: [{ source: '.long foo@SIZE + 0x100000000; .data; .globl foo; .size foo, 1; foo: .byte 1' }],
  },
  R_X86_64_SIZE64: {
    source: '.quad foo@SIZE; .data; .globl foo; .size foo, 1; foo: .byte 1',
    fits: [{}],
    overflows: ANY,
  },
  R_X86_64_GOTPC32_TLSDESC: {
    source: `lea x@tlsdesc(%rip), %rax; call *x@tlscall(%rax)${VARIABLE}`,
    ...FROM_THREAD_POINTER,
  },
  R_X86_64_TLSDESC_CALL: {
    source: `lea x@tlsdesc(%rip), %rax; call *x@tlscall(%rax)${VARIABLE}`,
    fits: [{}],
    overflows: 'it marks a call, and has no field',
  },
  R_X86_64_GOTPCRELX: { source: 'call *foo@GOTPCREL(%rip)', ...toGOT(2) },
  R_X86_64_REX_GOTPCRELX: { source: 'mov foo@GOTPCREL(%rip), %rax', ...toGOT(3) },
  R_X86_64_CODE_4_GOTPCRELX: {
    source: 'pushq foo@GOTPCREL(%rip)',
    insteadOf: 'R_X86_64_GOTPCREL',
    ...toGOT(2),
  },
};

/** Of the type a row says, wherever the assembler has written that of another. */
function objectOf(source: string, name: Row, insteadOf: Row | undefined): Uint8Array {
  const object = assemble(`.globl f\nf: ${source}`);
  const elf = new ElfObject('test.o', object);
  const { type } = R_X86_64[name];
  let isThere = false;
  for (const section of elf.sections) {
    if (section.type !== SHT_RELA) continue;
    const table = elf.relocations(section);
    for (let index = 0; index < table.count; index++) {
      if (insteadOf && table.type(index) === R_X86_64[insteadOf].type)
        object[table.entryOffset(index) + 8] = type;
      isThere ||= table.type(index) === type;
    }
  }
  if (!isThere) throw new Error(`the assembler makes no ${name} of ${source}`);
  return object;
}

for (const [row, { source, fits, overflows, insteadOf }] of Object.entries(CASES)) {
  const name = row as LinkedRow;
  const link = ({ foo, source: other = source, ...bases }: Places) => {
    const graph = buildLinkGraph(objectOf(other, name, insteadOf), 'test.o');
    return linkAt(graph, foo === undefined ? {} : { foo }, { ...BASES, ...bases });
  };

  test(`${name}: what fits is linked, up to the last`, async (t) => {
    for (const places of fits) await t.notThrowsAsync(link(places));
  });

  if (typeof overflows === 'string') continue;
  test(`${name}: what does not fit is refused, from the first on`, async (t) => {
    for (const places of overflows) {
      const error = await t.throwsAsync(link(places), { instanceOf: LinkError });
      t.is(error?.reason, 'out-of-range', error?.message);
    }
  });
}

test('each relocation that is linked has a case', (t) => {
  const linked = Object.entries<{ type: number; edge?: string }>(R_X86_64).filter(
    ([, { edge }]) => edge !== undefined,
  );
  t.deepEqual(Object.keys(CASES).toSorted(), linked.map(([name]) => name).toSorted());
});
