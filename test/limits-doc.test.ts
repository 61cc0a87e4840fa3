import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { MAX_FRAME_BYTES } from '@farjit/protocol';
import test from 'ava';
import {
  MAX_FUNCTION_BRANCHES,
  MAX_FUNCTION_EXPRESSIONS,
  MAX_NESTING_DEPTH,
} from '#compiler/src/frontends/kaleidoscope/expression-parser.js';
import { DEFAULT_LIMITS, DEFAULT_MAX_SESSIONS } from '#executor/src/limits.js';
import {
  BLOCK_BYTES,
  CALL_SLOT_COUNT,
  HOST_CALL_SLOT_COUNT,
  REENTRY_SLOT_COUNT,
  THREAD_BYTES,
  THREAD_UNIT_BYTES,
} from '#executor/src/native/shared-layout.js';
import { layoutReservation } from '#executor/src/reservation-layout.js';

const ROOT = fileURLToPath(new URL('../../', import.meta.url));
const KIB = 1024;
const MIB = 1024 * KIB;

/** The second cell of the row that begins with `first`. */
function cellOf(document: string, first: string): string | undefined {
  const lines = readFileSync(`${ROOT}${document}`, 'utf8').split('\n');
  const rows = lines.map((line) => line.split('|').map((cell) => cell.trim()));
  return rows.find(([, title]) => title === first)?.[2];
}

const layout = layoutReservation(4096);

/** Mebibytes with one digit behind the point, where there is one. */
function inMiB(bytes: number): string {
  return `${Math.round((bytes / MIB) * 10) / 10}`;
}

test('the limits in README are those of the sources', (t) => {
  const { code, constant, data, totalBytes } = layout;
  const limits: Readonly<Record<string, RegExp>> = {
    'memory of a session': new RegExp(
      `^${inMiB(totalBytes)} MiB of address space: \\[${inMiB(code.sizeBytes)} MiB of code\\]\\S+ ` +
        `${inMiB(constant.sizeBytes)} of constants, ${inMiB(data.sizeBytes)} of data$`,
    ),
    'calls running at one time in a runner': new RegExp(`^${CALL_SLOT_COUNT};`),
    'threads blocked in compile callbacks at one time': new RegExp(`^${REENTRY_SLOT_COUNT};`),
    'stack of a call': new RegExp(`^${inMiB(DEFAULT_LIMITS.stack ?? 0)} MiB, above a guard of 1 MiB`),
    'thread-local variables of a runner': new RegExp(
      `^${THREAD_BYTES / KIB} KiB in each thread, in units of ${THREAD_UNIT_BYTES} bytes`,
    ),
    'arguments of a call from TypeScript': new RegExp(`^${BLOCK_BYTES / KIB} KiB$`),
    'sessions of an executor': new RegExp(`^${DEFAULT_MAX_SESSIONS}$`),
    'frame on the wire': new RegExp(`^${inMiB(MAX_FRAME_BYTES)} MiB,`),
    'expressions of a Kaleidoscope function': new RegExp(
      `^${MAX_FUNCTION_EXPRESSIONS.toLocaleString('en-US')}, nested ${MAX_NESTING_DEPTH} deep, ` +
        `of which ${MAX_FUNCTION_BRANCHES.toLocaleString('en-US')} `,
    ),
  };
  for (const [title, words] of Object.entries(limits))
    t.regex(cellOf('README.md', title) ?? '', words, title);
});

test('the parts of memory in docs/memory.md are those of the sources', (t) => {
  for (const part of ['code', 'constant', 'control', 'data'] as const)
    t.is(cellOf('docs/memory.md', part), `${inMiB(layout[part].sizeBytes)} MiB`, part);
  const control = readFileSync(`${ROOT}docs/memory.md`, 'utf8');
  t.true(
    control.includes(
      `${REENTRY_SLOT_COUNT} reentry slots, ${HOST_CALL_SLOT_COUNT} slots for calls to JavaScript, ${CALL_SLOT_COUNT} call slots`,
    ),
  );
});
