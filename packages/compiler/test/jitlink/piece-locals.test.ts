import test from 'ava';
import { buildLinkGraph } from '../../src/jitlink/elf/elf.js';
import { isMadeUp, localName, qualifyLocal, unqualifyLocal } from '../../src/jitlink/local-names.js';
import { splitPiece } from '../../src/jitlink/object-slice.js';
import { adoptPieceLocals } from '../../src/jitlink/piece-locals.js';
import { assemble } from './toolchain.js';

const F = localName('f', 'function');
const G = localName('g', 'function');
const D = localName('d', 'data');

/** A piece's object: a function of its own that calls another's, with values of both, and data of another's. */
const OBJECT = String.raw`
  .section ".text.f\x02f", "ax", @progbits
  .globl "f\x02f"
  .hidden "f\x02f"
  .type "f\x02f", @function
"f\x02f":
  call "f\x02f"@PLT
  call "g\x02f"@PLT
  lea "f\x02f"(%rip), %rax
  lea "g\x02f"(%rip), %rax
  mov "d\x02d"(%rip), %eax
  lea .Lown(%rip), %rax
  ret
  .size "f\x02f", .-"f\x02f"
  .section .rodata.f, "a", @progbits
.Lown:
  .long 1
  .section .data, "aw"
  .quad "f\x02f"
  .globl e
e: .quad "g\x02f"`;

test('what only a module can name is called alike in the objects of its pieces', (t) => {
  const graph = buildLinkGraph(assemble(OBJECT.replaceAll('\\x02', '\x02')), 'piece.o');
  adoptPieceLocals(graph);
  const text = graph.sections.find(({ name }) => name.startsWith('.text.f'));
  t.deepEqual(text?.blocks[0]?.edges.map(({ target }) => target.name).slice(0, 5), [
    `${F}$impl`,
    `${G}$impl`,
    F,
    G,
    D,
  ]);
  const data = graph.findSection('.data');
  t.deepEqual(
    data?.blocks[0]?.edges.map(({ target }) => target.name),
    [F, G],
  );
  const definition = graph.findDefinition(`${F}$impl`);
  t.deepEqual([definition?.scope, definition?.live], ['hidden', true]);
  t.false(graph.symbols.some(({ name, block }) => name.includes('\x02') && name !== block?.section.name));
});

test('what splitting makes up in one piece is called otherwise in another', (t) => {
  const names = (source: string) =>
    splitPiece(assemble(source.replaceAll('\\x02', '\x02')), 'piece.o')
      .flatMap((slice) => [...slice.symbols, ...slice.references])
      .filter(isMadeUp);
  const [one, same] = [names(OBJECT), names(OBJECT)];
  const other = names(OBJECT.replace('.long 1', '.long 2'));
  t.true(one.length > 0);
  t.deepEqual(one, same);
  t.deepEqual(
    one.filter((name) => other.includes(name)),
    [],
  );
  for (const name of [...one, F, D]) t.is(unqualifyLocal(qualifyLocal(name, 17)), name);
});
