import test from 'ava';
import { callsAtOnce, completeLimits, DEFAULT_LIMITS, stackBytes } from '../src/limits.js';
import { CALL_SLOT_COUNT } from '../src/native/shared-layout.js';

const MIB = 1024 ** 2;
const GIB = 1024 ** 3;

test('data follows memory unless it is given', (t) => {
  t.is(completeLimits().data, DEFAULT_LIMITS.memory);
  t.is(completeLimits({ memory: 64 * MIB }).data, 64 * MIB);
  t.is(completeLimits({ memory: 8 * GIB }).data, 8 * GIB);
  t.is(completeLimits({ memory: null }).data, null);
  t.is(completeLimits({ memory: 64 * MIB, data: GIB }).data, GIB);
  t.is(completeLimits({ data: null }).data, null);
});

test('a limit may be the least with which a runner works, and no less', (t) => {
  const least = {
    'address-space': 320 * MIB,
    data: 16 * MIB,
    stack: 64 * 1024,
    descriptors: 4,
    memory: 16 * MIB,
  };
  t.like(completeLimits(least), least);
  for (const [name, value] of Object.entries(least))
    t.throws(() => completeLimits({ [name]: value - 1 }), {
      instanceOf: RangeError,
      message: `the limit ${name}=${value - 1} is too small for a runner: at least ${value}`,
    });
});

test('stacks of calls take half of the data at the most', (t) => {
  const calls = (data: number | null, stack: number | null = 8 * MIB) => callsAtOnce({ data, stack });
  t.is(calls(DEFAULT_LIMITS.data), CALL_SLOT_COUNT);
  t.is(calls(null), CALL_SLOT_COUNT);
  t.is(calls(1024 * MIB), 64);
  t.is(calls(1024 * MIB - 1), 63);
  t.is(calls(64 * MIB), 4);
  t.is(calls(16 * MIB), 1);
  t.is(calls(16 * MIB, GIB), 1);
  t.is(stackBytes({ stack: null }), 64 * MIB);
  t.is(calls(1024 * MIB, null), 8);
});
