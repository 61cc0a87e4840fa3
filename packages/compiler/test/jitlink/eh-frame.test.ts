import test from 'ava';
import { buildLinkGraph } from '../../src/jitlink/elf/elf.js';
import { KEEP_ALIVE } from '../../src/jitlink/link-graph.js';
import { hex, linkAt } from './linking.js';
import { assemble } from './toolchain.js';

/** Functions with unwind information, each in a section of its own. */
const functions = (names: readonly string[], binding = '.globl') =>
  names
    .map(
      (name) => `
        .section .text.${name},"ax"
        ${binding} ${name}
        .type ${name}, @function
        ${name}: .cfi_startproc
        nop
        .cfi_endproc`,
    )
    .join('\n');

/** Walks the records as an unwinder does: each FDE's function address, through its CIE. */
function describedFunctions(content: Uint8Array, address: bigint): { functions: bigint[]; cieCount: number } {
  const view = new DataView(content.buffer, content.byteOffset, content.byteLength);
  const cies = new Set<number>();
  const found: bigint[] = [];
  let at = 0;
  for (let length = view.getUint32(at, true); length !== 0; length = view.getUint32(at, true)) {
    const id = view.getInt32(at + 4, true);
    if (id === 0) cies.add(at);
    else {
      if (!cies.has(at + 4 - id)) throw new Error(`the FDE at ${at} leads to no CIE`);
      found.push(address + BigInt(at + 8) + BigInt(view.getInt32(at + 8, true)));
    }
    at += 4 + length;
  }
  if (at + 4 !== content.byteLength) throw new Error('bytes after the terminator');
  return { functions: found, cieCount: cies.size };
}

test('each record is a block; an FDE points at its CIE and is kept by its function', (t) => {
  const graph = buildLinkGraph(assemble(functions(['f', 'g'])), 'test.o');
  const records = graph.findSection('.eh_frame')?.blocks ?? [];
  t.is(records.length, 3);
  const [cie, fde] = records;
  t.true(cie?.mergeable);
  t.deepEqual(
    fde?.edges.map(({ offset, target }) => [offset, target.block]),
    [
      [4, cie],
      [8, graph.findSection('.text.f')?.blocks[0]],
    ],
  );
  const kept = graph.findSection('.text.f')?.blocks[0]?.edges;
  t.deepEqual(
    kept?.map(({ kind, target }) => [kind, target.block]),
    [[KEEP_ALIVE, fde]],
  );
});

test('a linked graph describes its functions and ends its records', async (t) => {
  const linked = await linkAt(buildLinkGraph(assemble(functions(['f', 'g', 'h'])), 'test.o'));
  const { content, address } = linked.section('.eh_frame');
  t.deepEqual(linked.ehFrames, [{ address, sizeBytes: content.byteLength }]);
  t.is(address % 8n, 0n);
  t.deepEqual(describedFunctions(content, address), {
    functions: ['f', 'g', 'h'].map((name) => linked.addressOf(name)),
    cieCount: 1,
  });
});

test('the record of a function that is dropped is dropped', async (t) => {
  const object = assemble(functions(['f', 'h']) + functions(['unused'], '.local'));
  const linked = await linkAt(buildLinkGraph(object, 'test.o'));
  const { content, address } = linked.section('.eh_frame');
  t.is(describedFunctions(content, address).functions.length, 2);
  t.false(linked.sectionNames.includes('.text.unused'));
});

test('a graph without functions has no .eh_frame to register', async (t) => {
  const object = assemble(`.data\n.globl d\nd: .quad 1\n${functions(['unused'], '.local')}`);
  const linked = await linkAt(buildLinkGraph(object, 'test.o'));
  t.deepEqual(linked.ehFrames, []);
  t.deepEqual(linked.sectionNames, ['.data']);
});

test('personality and exception table live with the function', async (t) => {
  const object = assemble(`
    .globl f
    f: .cfi_startproc
    .cfi_personality 0x9b, DW.ref.person
    .cfi_lsda 0x1b, table
    nop
    .cfi_endproc
    .section .gcc_except_table,"a"
    .long 0
    table: .byte 0xff
    .hidden DW.ref.person
    .weak DW.ref.person
    .section .data.rel.local.DW.ref.person,"awG",@progbits,DW.ref.person,comdat
    DW.ref.person: .quad person`);
  const linked = await linkAt(buildLinkGraph(object, 'test.o'), { person: 0x7fff_0000_0000n });
  t.is(hex(linked.section('.data.rel.local.DW.ref.person').content), '00000000ff7f0000');
  t.true(linked.sectionNames.includes('.gcc_except_table'));
  const { content, address } = linked.section('.eh_frame');
  t.deepEqual(describedFunctions(content, address).functions, [linked.addressOf('f')]);
});

test('records that do not add up are refused', (t) => {
  const raw = (bytes: string) => () =>
    buildLinkGraph(assemble(`.globl f\nf: nop\n.section .eh_frame,"a"\n${bytes}`), 'test.o');
  t.throws(raw('.long 100, 0'), { message: /ends inside the record/ });
  t.throws(raw('.byte 1'), { message: /ends inside the record/ });
  t.throws(raw('.long 4, 0'), { message: /too short/ });
  t.throws(raw('.long -1, 0, 0, 0'), { message: /64-bit length/ });
  t.throws(raw('.long 12, 99, f - ., 0'), { message: /the FDE has no CIE/ });
  t.throws(raw('.long 9, 0, 0\n.byte 1\n.long 0\n.reloc .eh_frame + 11, R_X86_64_PC32, f'), {
    message: /reaches over the end/,
  });
  t.notThrows(raw('.long 0'));
});
