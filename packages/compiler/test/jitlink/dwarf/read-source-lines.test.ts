import { randomInt } from 'node:crypto';
import test from 'ava';
import { readSourceLines } from '../../../src/jitlink/dwarf/read-source-lines.js';
import { SourceLines } from '../../../src/jitlink/dwarf/source-lines.js';
import { ElfObject } from '../../../src/jitlink/elf/object.js';
import { compile } from '../toolchain.js';

const SOURCE = `# 1 "sources/sum.c"
int first(int *p) {
  return
    *p;
}
# 1 "other.h"
int second(int *p) {
  return first(p) +
    first(p + 1);
}
`;

/** Sizes of functions by name. */
function sizesIn(object: Uint8Array): Map<string, number> {
  const symbols = new ElfObject('sum.o', object).symbolTable();
  const sizes = new Map<string, number>();
  for (let index = 1; symbols && index < symbols.count; index++)
    sizes.set(symbols.name(index), symbols.sizeBytes(index));
  return sizes;
}

for (const version of [2, 3, 4, 5])
  for (const sections of [['-ffunction-sections'], []])
    test(`lines of functions are read from DWARF ${version} ${sections}`, (t) => {
      const object = compile(SOURCE, [`-gdwarf-${version}`, '-O0', '-fPIC', ...sections]);
      const lines = readSourceLines(object, 'sum.o');
      if (!lines) return t.fail('there are no lines');
      const sizes = sizesIn(object);
      const linesOf = (name: string) => {
        const sizeBytes = sizes.get(name) ?? 0;
        const places = Array.from({ length: sizeBytes }, (_, offset) => lines.find(name, offset, sizeBytes));
        return [...new Set(places.map((place) => `${place?.file}:${place?.line}`))];
      };
      t.deepEqual(linesOf('first'), ['sources/sum.c:1', 'sources/sum.c:3', 'sources/sum.c:4']);
      t.true(linesOf('second').every((place) => /^other\.h:[1-4]$/.test(place)));
      t.is(lines.find('first', 0, (sizes.get('first') ?? 0) + 1), undefined);
      t.is(lines.find('third', 0, 1), undefined);
      const again = SourceLines.decode(lines.encode());
      t.deepEqual(again.encode(), lines.encode());
    });

test('an object without lines has none, nor has one whose lines cannot be read', (t) => {
  t.is(readSourceLines(compile(SOURCE, ['-O1']), 'sum.o'), undefined);
  const object = compile(SOURCE, ['-g', '-O1']);
  const lines = new ElfObject('sum.o', object).sections.find(({ name }) => name === '.debug_line');
  if (!lines) return t.fail('gcc has written no lines');
  for (let at = 0; at < lines.sizeBytes; at++) {
    const damaged = object.slice();
    damaged[lines.offset + at] = randomInt(256);
    t.notThrows(() => readSourceLines(damaged, 'sum.o'));
  }
});
