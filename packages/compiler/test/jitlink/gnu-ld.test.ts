import test, { type ExecutionContext } from 'ava';
import { buildLinkGraph } from '../../src/jitlink/elf/elf.js';
import { GOT_SECTION, STUBS_SECTION } from '../../src/jitlink/x86_64/got-plt.js';
import { BASES, hex, type Linked, linkAt } from './linking.js';
import { assemble, compile, compileIR, LLCS, linkWithGnuLd, relaxableGOTLoads } from './toolchain.js';

const NEAR = 0x7f00_1234_5678n;
const FAR = 0x7fff_f7e0_1230n;

/** Links `object` with both linkers, at the addresses of ours, and compares every section. */
async function sameAsGnuLd(
  t: ExecutionContext,
  object: Uint8Array,
  names: Readonly<Record<string, bigint>> = {},
  bases = BASES,
): Promise<Linked> {
  const linked = await linkAt(buildLinkGraph(object, 'test.o'), names, bases);
  const compared = linked.sectionNames.filter((name) => name !== GOT_SECTION && name !== STUBS_SECTION);
  const hasGOT = linked.sectionNames.includes(GOT_SECTION);
  const reference = linkWithGnuLd({
    objects: [object],
    sections: new Map(compared.map((name) => [name, linked.section(name).address])),
    symbols: new Map(Object.entries(names)),
    ...(hasGOT ? { got: linked.section(GOT_SECTION).address } : {}),
    flags: ['--no-relax'],
  });
  t.true(compared.length > 0);
  for (const name of compared) {
    // Ours ends with a terminator, which GNU ld takes from crtend.o.
    const terminatorBytes = name === '.eh_frame' ? 4 : 0;
    const ours = linked.section(name);
    const content = ours.content.subarray(0, ours.content.byteLength - terminatorBytes);
    t.is(hex(content), hex(reference.get(name) ?? new Uint8Array()), name);
    t.is(content.byteLength > 0, name !== '.bss', name);
  }
  return linked;
}

const POINTER_CASES: readonly [relocation: string, source: string, foo: bigint][] = [
  ['R_X86_64_64', '.quad foo + 0x1122334455667788', FAR],
  ['R_X86_64_32', '.long foo + 3', 0xffff_0000n],
  ['R_X86_64_32S', 'movq $foo + 1, %rax', 0x7fff_0000n],
  ['R_X86_64_32S of a high address', 'movq $foo, %rax', 0xffff_ffff_8000_0000n],
  ['R_X86_64_16', '.word foo + 1', 0xfff0n],
  ['R_X86_64_8', '.byte foo + 1', 0xf0n],
  ['R_X86_64_PC64', '.quad foo - .', FAR],
  ['R_X86_64_PC32', 'lea foo(%rip), %rax', NEAR],
  ['R_X86_64_PC32 with an immediate after it', 'cmpl $77, foo + 8(%rip)', NEAR],
  ['R_X86_64_PC16', '.word foo - .', 0x7f00_1000_7f00n],
  ['R_X86_64_PC8', '.byte foo - .', 0x7f00_1000_0070n],
  ['R_X86_64_PLT32 to a near target', 'call foo@PLT; jmp foo@PLT; jne foo@PLT', NEAR],
];

for (const [relocation, source, foo] of POINTER_CASES)
  test(`${relocation} has GNU ld's bytes`, async (t) => {
    await sameAsGnuLd(t, assemble(`.globl f\nf: nop\n${source}\n`), { foo });
  });

const GOT_CASES: readonly [relocation: string, source: string][] = [
  ['R_X86_64_GOTPCREL', 'pushq foo@GOTPCREL(%rip); .long foo@GOTPCREL + 5'],
  ['R_X86_64_GOTPCREL64', '.quad foo@GOTPCREL'],
  ['R_X86_64_GOTPCRELX', 'mov foo@GOTPCREL(%rip), %eax; call *foo@GOTPCREL(%rip); jmp *foo@GOTPCREL(%rip)'],
  ['R_X86_64_REX_GOTPCRELX', 'mov foo@GOTPCREL(%rip), %r9; add foo@GOTPCREL(%rip), %rax'],
  ['R_X86_64_GOT64', 'movabs $foo@GOT, %rax; lea _GLOBAL_OFFSET_TABLE_(%rip), %rbx'],
  ['R_X86_64_GOT32', 'mov foo@GOT(%rbx), %rax; .long foo@GOT + 8; lea _GLOBAL_OFFSET_TABLE_(%rip), %rbx'],
];

for (const [relocation, source] of GOT_CASES)
  test(`${relocation} reads one GOT entry, as with GNU ld`, async (t) => {
    const linked = await sameAsGnuLd(t, assemble(`.globl f\nf: nop\n${source}\n`), { foo: FAR });
    t.is(hex(linked.section(GOT_SECTION).content), '3012e0f7ff7f0000');
  });

test('relocations against the GOT base have the bytes of GNU ld', async (t) => {
  await sameAsGnuLd(
    t,
    assemble(`
      .globl f
      f: lea _GLOBAL_OFFSET_TABLE_(%rip), %rbx
      movabs $_GLOBAL_OFFSET_TABLE_, %rbx
      .quad _GLOBAL_OFFSET_TABLE_ - .
      movabs $foo@GOTOFF, %rax
      movabs $foo@PLTOFF, %rax
      movabs $g@GOTOFF + 4, %rax
      .data
      .globl g
      g: .quad 1`),
    { foo: FAR },
  );
});

test('symbol sizes have the bytes of GNU ld', async (t) => {
  await sameAsGnuLd(
    t,
    assemble(`
      .globl f
      f: .long g@SIZE, g@SIZE + 3
      .quad g@SIZE + 1
      .data
      .globl g
      .size g, 24
      g: .quad 1, 2, 3`),
  );
});

test('R_X86_64_NONE changes no byte', async (t) => {
  await sameAsGnuLd(t, assemble('.globl f\nf: .quad -1\n.reloc f, R_X86_64_NONE, foo'), { foo: FAR });
});

test('relocations between the sections of an object have the bytes of GNU ld', async (t) => {
  await sameAsGnuLd(
    t,
    assemble(`
      .globl f
      f: call h
      lea k(%rip), %rax
      lea counter + 16(%rip), %rcx
      mov table(%rip), %rdx
      ret
      .section .text.h,"ax"
      .p2align 5
      nop
      h: call f@PLT
      .section .rodata
      k: .long 1f - k, h - .
      1: .quad f
      .data
      .globl table
      table: .quad f, h, k + 8, counter
      .bss
      .p2align 6
      .skip 8
      counter: .skip 32`),
  );
});

test('functions with their unwind information have the bytes of GNU ld', async (t) => {
  const object = compile(
    'extern double sin(double); __attribute__((visibility("hidden"))) double g = 1; static double k(double x) { return sin(x) + g; }' +
      'double f(double x) { return k(x) + 4.5; } double h(double x) { g = f(x); return x; }',
    ['-O1', '-fPIC', '-fno-inline', '-fasynchronous-unwind-tables'],
  );
  const linked = await sameAsGnuLd(t, object, { sin: NEAR });
  const { address, content } = linked.section('.eh_frame');
  t.deepEqual(linked.ehFrames, [{ address, sizeBytes: content.byteLength }]);
});

for (const flags of [
  ['-O2', '-fno-pic', '-mcmodel=small'],
  ['-O2', '-fPIC', '-fvisibility=hidden'],
  ['-O0', '-fno-pic'],
])
  test(`C compiled with ${flags.join(' ')} has the bytes of GNU ld`, async (t) => {
    const object = compile(
      `static int count = 5; static const char *text = "text"; static int seen[100];
       int outside(int, const char *);
       static int other(int x) { return outside(x * count++, text); }
       __attribute__((visibility("default"))) int f(int x) {
         switch (x) {
           case 0: return other(9);
           case 1: return outside(3, 0);
           case 2: seen[x + 1]++; return 8;
           case 3: return f(x - 1) + seen[x];
           case 4: return -70;
           case 5: return outside(1, text) + f(2);
           default: return 1;
         }
       }
       __attribute__((visibility("default"))) int (*const table[])(int) = { f, other };`,
      flags,
    );
    const base = flags.includes('-fno-pic') ? 0x4000_0000n : BASES.code;
    const bases = { ...BASES, code: base, constant: base + 0x10_0000n, data: base + 0x20_0000n };
    const linked = await sameAsGnuLd(t, object, { outside: base + 0x40_0000n }, bases);
    t.true(linked.symbols.get('f')?.callable);
    t.false(linked.symbols.get('table')?.callable);
  });

// `x` is loaded first, so that its entry leads the GOT of both linkers; `sin` has one in ours alone, for its stub.
const IR = `
@x = external global double
@g = dso_local global double 1.0
@table = constant [2 x ptr] [ptr @f, ptr @h]
declare double @sin(double)
define double @f(double %a) #0 section ".text.f$impl" {
  %c = load double, ptr @x
  %b = call double @sin(double %a)
  %d = fadd double %b, %c
  store double %d, ptr @g
  ret double %d
}
define internal double @k(double %a) #0 section ".text.k$impl" {
  %b = call double @f(double %a)
  ret double %b
}
define double @h(double %a) #0 section ".text.h$impl" {
  %b = call double @k(double %a)
  %c = fadd double %b, 4.5
  ret double %c
}
attributes #0 = { uwtable noinline "frame-pointer"="all" }
`;

for (const version of LLCS.keys())
  for (const model of ['pic', 'static'])
    test(`an object of LLVM ${version}, ${model}, has the bytes of GNU ld`, async (t) => {
      const object = compileIR(version, IR, [
        `-relocation-model=${model}`,
        '-O0',
        relaxableGOTLoads(version, false),
      ]);
      // Static code has its data in the lower 2 GiB.
      const base = model === 'static' ? 0x4000_0000n : BASES.code;
      const bases = { ...BASES, code: base, constant: base + 0x10_0000n, data: base + 0x20_0000n };
      const names = { x: base + 0x30_0000n, sin: base + 0x40_0000n };
      const linked = await sameAsGnuLd(t, object, names, bases);
      t.true(linked.sectionNames.includes('.text.h$impl'));
      t.is(linked.ehFrames.length, 1);
    });
