import { toExecutorAddr } from '@farjit/protocol/executor-addr';
import test from 'ava';
import { buildLinkGraph } from '../../src/jitlink/elf/elf.js';
import { SHT_SYMTAB } from '../../src/jitlink/elf/object.js';
import { LinkError } from '../../src/jitlink/errors.js';
import { link } from '../../src/jitlink/link.js';
import { splitGraph } from '../../src/jitlink/split.js';
import { BASES, contextAt } from './linking.js';
import { RICH_ASSEMBLY } from './rich-assembly.js';
import { assemble, compile, compileIR, LLCS } from './toolchain.js';

/** What a session has to give. */
const SLAB_BYTES = 64 * 1024 * 1024;

class OutOfMemory extends Error {}

/** Links an object in both ways it can be linked; true when it worked, false when a `LinkError` said why not. */
async function linkHostile(object: Uint8Array): Promise<boolean> {
  const context = {
    ...contextAt(),
    allocate: (requests: Parameters<ReturnType<typeof contextAt>['allocate']>[0]) => {
      for (const { sizeBytes, alignment } of requests)
        if (sizeBytes > SLAB_BYTES || alignment > SLAB_BYTES) throw new OutOfMemory();
      return requests.map(({ prot }) => toExecutorAddr(BASES[prot]));
    },
    lookup: async (names: readonly string[]) =>
      new Map(names.map((name) => [name, toExecutorAddr(0x7f00_1030_0000n)])),
  };
  try {
    await link(buildLinkGraph(object, 'hostile.o'), context);
    for (const graph of splitGraph(buildLinkGraph(object, 'hostile.o'))) await link(graph, context);
    return true;
  } catch (error) {
    if (error instanceof LinkError || error instanceof OutOfMemory) return false;
    throw error;
  }
}

const RICH_OBJECT = assemble(RICH_ASSEMBLY);

test('the objects used here link when they are whole', async (t) => {
  t.true(await linkHostile(RICH_OBJECT));
});

test('an object cut short at any length gives a LinkError', async (t) => {
  for (let length = 0; length < RICH_OBJECT.byteLength; length++)
    // Section headers end the file, so that something is always missing.
    t.false(await linkHostile(RICH_OBJECT.slice(0, length)), `${length} bytes`);
});

const SEEDS: readonly [name: string, object: () => Uint8Array][] = [
  ['an assembled object', () => RICH_OBJECT],
  [
    'a compiled object',
    () =>
      compile(
        'double g; static int n = 3; const char *s = "text"; double h(double);' +
          'int k(int i) { switch (i) { case 1: return 5; case 2: return n; case 3: return 7; case 4: return 2;' +
          'case 5: return 100; } return ++n; } double f(double x) { g = x; return h(x + 0.5) + k(3); }',
        ['-O2', '-fPIC', '-ffunction-sections', '-fdata-sections'],
      ),
  ],
  ...[...LLCS.keys()]
    .slice(0, 1)
    .map((version): [string, () => Uint8Array] => [
      `an object of LLVM ${version}`,
      () =>
        compileIR(
          version,
          '@g = global double 0.0\ndeclare double @h(double)\n' +
            'define double @f(double %a) uwtable { %b = call double @h(double %a)\n%c = fadd double %b, 0.25\n' +
            'store double %c, ptr @g\nret double %c }',
          ['-relocation-model=pic'],
        ),
    ]),
];

for (const [name, makeObject] of SEEDS)
  test(`${name} with flipped bytes links or gives a LinkError`, async (t) => {
    const object = makeObject();
    const random = mulberry32(0x5eed);
    const outcomes = { linked: 0, refused: 0 };
    for (let round = 0; round < 2500; round++) {
      const mutant = object.slice();
      const flipCount = 1 + (random() % 3);
      for (let i = 0; i < flipCount; i++) {
        const at = random() % mutant.byteLength;
        // Small values and extremes hit more checks than noise does.
        const value = [random() & 0xff, 0, 1, 0x7f, 0x80, 0xff][random() % 6] ?? 0;
        mutant[at] = value;
      }
      outcomes[(await linkHostile(mutant)) ? 'linked' : 'refused']++;
    }
    t.true(outcomes.linked > 100, JSON.stringify(outcomes));
    t.true(outcomes.refused > 100, JSON.stringify(outcomes));
  });

test('every 32-bit word of the headers replaced by extremes gives a LinkError or links', async (t) => {
  const view = new DataView(RICH_OBJECT.buffer, RICH_OBJECT.byteOffset);
  const tableOffset = Number(view.getBigUint64(40, true));
  const words: number[] = [];
  for (let at = 0; at < 64; at += 4) words.push(at);
  for (let at = tableOffset; at < RICH_OBJECT.byteLength; at += 4) words.push(at);
  for (const at of words)
    for (const value of [0, 1, 0xffff, 0x7fff_ffff, 0x8000_0000, 0xffff_ffff]) {
      const mutant = RICH_OBJECT.slice();
      new DataView(mutant.buffer).setUint32(at, value, true);
      await t.notThrowsAsync(linkHostile(mutant), `0x${value.toString(16)} at ${at}`);
    }
});

test('a section cannot be used twice to make the linker work for nothing', (t) => {
  // All sections the size of the file: their sum is quadratic in the number of sections.
  const mutant = RICH_OBJECT.slice();
  const view = new DataView(mutant.buffer);
  const tableOffset = Number(view.getBigUint64(40, true));
  for (let i = 1; i < view.getUint16(60, true); i++) {
    view.setBigUint64(tableOffset + i * 64 + 24, 0n, true);
    view.setBigUint64(tableOffset + i * 64 + 32, BigInt(mutant.byteLength), true);
  }
  const error = t.throws(() => buildLinkGraph(mutant, 'hostile.o'), { instanceOf: LinkError });
  t.regex(error?.message ?? '', /sections overlap/);
});

function mulberry32(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b_79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return (t ^ (t >>> 14)) >>> 0;
  };
}

test('names that overlap do not multiply: a symbol table of megabytes gives no gigabytes of names', (t) => {
  // 3000 symbols whose names are the tails of one long text: 3000 times 4000 bytes.
  const object = assemble(
    `${Array.from({ length: 3000 }, (_, i) => `.globl s${i}\ns${i} = ${i}`).join('\n')}\n.globl ${'n'.repeat(4090)}`,
  );
  t.notThrows(() => buildLinkGraph(object, 'whole.o'));
  const view = new DataView(object.buffer);
  const table = sectionHeaders(view).find(({ type }) => type === SHT_SYMTAB);
  const names = sectionHeaders(view)[table?.link ?? 0];
  if (!table || !names) return t.fail('no symbol table');
  const long = Buffer.from(object).indexOf('n'.repeat(4090)) - names.offset;
  for (let i = 1; i < table.sizeBytes / 24; i++) view.setUint32(table.offset + i * 24, long + i, true);
  t.throws(() => buildLinkGraph(object, 'hostile.o'), {
    instanceOf: LinkError,
    message: /names of its sections and symbols overlap/,
  });
});

test('a name that is not UTF-8 is refused: two of them could become the same text', (t) => {
  const object = assemble('.globl first\nfirst: ret\n.globl other\nother: ret');
  t.notThrows(() => buildLinkGraph(object, 'whole.o'));
  for (const name of ['first', 'other']) object[Buffer.from(object).indexOf(`${name}\0`)] = 0xff;
  t.throws(() => buildLinkGraph(object, 'hostile.o'), {
    instanceOf: LinkError,
    message: /the name 'ÿ(irst|ther)' is not UTF-8/,
  });
});

function sectionHeaders(view: DataView) {
  const start = Number(view.getBigUint64(40, true));
  return Array.from({ length: view.getUint16(60, true) }, (_, i) => ({
    type: view.getUint32(start + i * 64 + 4, true),
    offset: Number(view.getBigUint64(start + i * 64 + 24, true)),
    sizeBytes: Number(view.getBigUint64(start + i * 64 + 32, true)),
    link: view.getUint32(start + i * 64 + 40, true),
  }));
}

const SHT_SYMTAB_SHNDX = 18;
const SHN_XINDEX = 0xffff;

/** An object whose only global function is in the section that a table of extended indices says, of so many entries. */
function withExtendedIndices(entryCount: (symbolCount: number) => number, isOfAnother = false): Uint8Array {
  const whole = assemble('.globl f\nf: ret\n.section .extended,"",@progbits\n.zero 400\n');
  const object = whole.slice();
  const view = new DataView(object.buffer);
  const tableOffset = Number(view.getBigUint64(40, true));
  const headers = Array.from({ length: view.getUint16(60, true) }, (_, index) => tableOffset + 64 * index);
  const offsetOf = (header: number) => Number(view.getBigUint64(header + 24, true));
  const typeOf = (header: number) => view.getUint32(header + 4, true);
  const symbols = headers.findIndex((header) => typeOf(header) === SHT_SYMTAB);
  const symbolsAt = offsetOf(headers[symbols] ?? 0);
  const symbolCount = Number(view.getBigUint64((headers[symbols] ?? 0) + 32, true)) / 24;
  const extended = headers.find((header) => Number(view.getBigUint64(header + 32, true)) === 400) ?? 0;
  view.setUint32(extended + 4, SHT_SYMTAB_SHNDX, true);
  view.setUint32(extended + 40, isOfAnother ? symbols - 1 : symbols, true);
  view.setBigUint64(extended + 32, BigInt(4 * entryCount(symbolCount)), true);
  const last = symbolCount - 1;
  const section = view.getUint16(symbolsAt + 24 * last + 6, true);
  view.setUint16(symbolsAt + 24 * last + 6, SHN_XINDEX, true);
  view.setUint32(offsetOf(extended) + 4 * last, section, true);
  return object;
}

test('a table of extended section indices has an entry for each symbol, and is not read past its end', (t) => {
  const graph = buildLinkGraph(
    withExtendedIndices((count) => count),
    'extended.o',
  );
  t.is(graph.findDefinition('f')?.kind, 'defined');
  for (const missing of [1, 2])
    t.throws(
      () =>
        buildLinkGraph(
          withExtendedIndices((count) => count - missing),
          'short.o',
        ),
      { instanceOf: LinkError, message: /fewer entries than symbols/ },
    );
});

test('a table of extended section indices of another symbol table is not read', (t) => {
  for (const entryCount of [0, 100])
    t.throws(
      () =>
        buildLinkGraph(
          withExtendedIndices(() => entryCount, true),
          'another.o',
        ),
      { instanceOf: LinkError, message: /there is no SHT_SYMTAB_SHNDX/ },
    );
});

test('a name has 4,096 bytes at most', (t) => {
  const graphOf = (name: string) => buildLinkGraph(assemble(`.globl ${name}\n${name}: ret`), 'long.o');
  const longest = 'f'.repeat(4096);
  t.is(graphOf(longest).findDefinition(longest)?.kind, 'defined');
  t.throws(() => graphOf(`${longest}f`), {
    instanceOf: LinkError,
    message: /a name is longer than 4096 bytes/,
  });
});
