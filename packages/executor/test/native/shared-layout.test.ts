import { execFileSync } from 'node:child_process';
import test from 'ava';
import * as layout from '../../src/native/shared-layout.js';
import { DEFAULT_RUNNER_PATH } from '../../src/runner-process.js';

interface Layout {
  constants: Record<string, number>;
  structs: Record<string, { bytes: number; fields: Record<string, { offset: number; bytes: number }> }>;
}

const native: Layout = JSON.parse(execFileSync(DEFAULT_RUNNER_PATH, ['--layout'], { encoding: 'utf8' }));

function offsetsOf(struct: string): Record<string, number> {
  const fields = Object.entries(native.structs[struct]?.fields ?? {});
  return Object.fromEntries(fields.map(([name, { offset }]) => [camelCase(name), offset]));
}

function bytesOf(struct: string, field?: string): number {
  const found = native.structs[struct];
  const bytes = field === undefined ? found?.bytes : found?.fields[field]?.bytes;
  if (bytes === undefined) throw new Error(`the runner has no ${struct} ${field ?? ''}`);
  return bytes;
}

function constant(name: string): number {
  const value = native.constants[name];
  if (value === undefined) throw new Error(`the runner has no ${name}`);
  return value;
}

function camelCase(name: string): string {
  return name.replace(/_([a-z])/g, (_, letter: string) => letter.toUpperCase());
}

/** Constants of the runner that start with `prefix`, by the rest of their name. */
function constantsOf(prefix: string): Record<string, number> {
  return Object.fromEntries(
    Object.entries(native.constants)
      .filter(([name]) => name.startsWith(prefix))
      .map(([name, value]) => [camelCase(name.slice(prefix.length).toLowerCase()), value]),
  );
}

test('sizes of the structures are those of the runner', (t) => {
  t.is<number, number>(layout.BELL_BYTES, bytesOf('farjit_bell'));
  t.is<number, number>(layout.FRAME_NODE_BYTES, bytesOf('farjit_frame_node'));
  t.is<number, number>(layout.REENTRY_SLOT_BYTES, bytesOf('farjit_reentry_slot'));
  t.is<number, number>(layout.CALL_SLOT_BYTES, bytesOf('farjit_call_slot'));
  t.is<number, number>(layout.END_BYTES, bytesOf('farjit_end'));
  t.is<number, number>(layout.CONTROL_BYTES, bytesOf('farjit_control'));
});

const { next, previous, sibling, ...frameRecord } = layout.FRAME_NODE;
const STRUCTS: readonly [string, Readonly<Record<string, number>>][] = [
  ['farjit_frame_record', frameRecord],
  ['farjit_frame_node', { record: frameRecord.start, next, previous, sibling }],
  ['farjit_reentry_slot', layout.REENTRY_SLOT],
  ['farjit_call_slot', layout.CALL_SLOT],
  ['farjit_confine', layout.CONFINE],
  ['farjit_control', layout.CONTROL],
];

for (const [struct, ours] of STRUCTS)
  test(`offsets in struct ${struct} are those of the runner`, (t) => {
    const { reserved, ...theirs } = offsetsOf(struct);
    t.deepEqual(ours, theirs);
  });

test('offsets in struct farjit_end are those of the runner', (t) => {
  const { messageBytes, ...ours } = layout.END;
  t.deepEqual(ours, offsetsOf('farjit_end'));
  t.is<number, number>(messageBytes, bytesOf('farjit_end', 'message'));
});

const ENUMS: readonly [string, Readonly<Record<string, number>>][] = [
  ['FARJIT_FD_', layout.RUNNER_FD],
  ['FARJIT_BELL_', layout.BellKind],
  ['FARJIT_CONFINED_', layout.Confinement],
  ['FARJIT_SANDBOX_', layout.Sandbox],
  ['FARJIT_LIMIT_', layout.ReachedLimit],
  ['FARJIT_END_', layout.EndKind],
];

for (const [prefix, ours] of ENUMS)
  test(`${prefix}* are those of the runner`, (t) => {
    t.deepEqual(ours, constantsOf(prefix));
  });

test('states and kinds of slots are those of the runner', (t) => {
  t.like(constantsOf('FARJIT_REENTRY_'), { ...layout.ReentryState, ...layout.ReentryKind });
  t.like(constantsOf('FARJIT_CALL_'), layout.CallState);
});

test('counts and limits are those of the runner', (t) => {
  t.is<number, number>(layout.LAYOUT_MAGIC, constant('FARJIT_LAYOUT_MAGIC'));
  t.is<number, number>(layout.LAYOUT_VERSION, constant('FARJIT_LAYOUT_VERSION'));
  t.is<number, number>(layout.REENTRY_SLOT_COUNT, constant('FARJIT_REENTRY_SLOTS'));
  t.is<number, number>(layout.CALL_SLOT_COUNT, constant('FARJIT_CALL_SLOTS'));
  t.is<number, number>(layout.COUNTER_PAGE_BYTES, constant('FARJIT_COUNTER_PAGE_BYTES'));
  t.is<number, number>(layout.HOT_BITS_OFFSET, constant('FARJIT_HOT_BITS_OFFSET'));
  t.is<number, number>(layout.DATA_PAGES, constant('FARJIT_DATA_PAGES'));
  t.is<number, number>(layout.FRAME_CELL_SHIFT, constant('FARJIT_FRAME_CELL_SHIFT'));
  t.is<number, number>(layout.FRAME_LEVEL_SHIFT, constant('FARJIT_FRAME_LEVEL_SHIFT'));
  t.is<number, number>(layout.BLOCK_BYTES, constant('FARJIT_BLOCK_BYTES'));
  t.is<number, number>(layout.NAME_BYTES, constant('FARJIT_NAME_BYTES'));
  t.is<number, number>(layout.TRAP_FRAME_COUNT, constant('FARJIT_TRAP_FRAMES'));
  t.is<number, number>(layout.MISSING_BYTES, constant('FARJIT_MISSING_BYTES'));
  t.is<number, number>(layout.REGISTER_COUNT, constant('FARJIT_REGISTERS'));
  t.is<number, number>(layout.LOOKUP_NAME_COUNT * 8, bytesOf('farjit_control', 'addresses'));
});
