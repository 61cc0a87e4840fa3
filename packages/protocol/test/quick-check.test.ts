import test from 'ava';
import * as v from 'valibot';
import { decodeFrame, encodeFrame, FrameKind } from '../src/codec.js';
import { MESSAGES } from '../src/messages/index.js';
import { fitsSchema, parseValue } from '../src/quick-check.js';
import { sampleValue, seededRandom } from './sample-values.js';

const SCHEMAS = MESSAGES.flatMap((message) =>
  message.kind === 'request'
    ? [
        { title: `${message.method} params`, schema: message.params },
        { title: `${message.method} result`, schema: message.result },
      ]
    : [{ title: `${message.method} params`, schema: message.params }],
);

/** As it arrives: maps without prototype tricks, bytes as views, no undefined. */
function overTheWire(body: unknown): unknown {
  const frame = { id: 1, sequence: 1, acknowledged: 0, generation: 0, deadlineMs: null, traceparent: null };
  return decodeFrame(encodeFrame({ ...frame, kind: FrameKind.Request, method: 'm', body })).body;
}

/** A record of registers: not on a callback's way. */
const SLOW = new Set(['runnerLost params', 'runProgram result']);

for (const { title, schema } of SCHEMAS) {
  test(`${title}: what fits is accepted without valibot, and comes out as valibot gives it`, (t) => {
    const random = seededRandom(3);
    let quickCount = 0;
    for (let i = 0; i < 200; i++) {
      const value = overTheWire(sampleValue(schema, random));
      if (fitsSchema(schema, value)) quickCount++;
      const parsed = parseValue(schema, value);
      if (!parsed.success) return t.fail('a sample does not fit');
      t.deepEqual(parsed.output, v.parse(schema, value));
    }
    t.is(quickCount, SLOW.has(title) ? 0 : 200);
  });

  test(`${title}: a mutated value is accepted or refused as valibot does`, (t) => {
    const random = seededRandom(5);
    const counts = { fits: 0, refused: 0 };
    for (let i = 0; i < 1000; i++) {
      const value = overTheWire(mutate(sampleValue(schema, random), random));
      const expected = v.safeParse(schema, value);
      if (fitsSchema(schema, value)) t.true(expected.success);
      const parsed = parseValue(schema, value);
      t.is(parsed.success, expected.success);
      if (parsed.success) t.deepEqual(parsed.output, expected.output);
      else t.is(parsed.issues[0]?.message, expected.issues?.[0]?.message);
      counts[parsed.success ? 'fits' : 'refused']++;
    }
    t.true(counts.refused > 100, `${counts.refused} of 1000 refused`);
  });
}

test('a schema that is not understood is left to valibot', (t) => {
  const doubled = v.pipe(
    v.number(),
    v.transform((value) => 2 * value),
  );
  for (const schema of [doubled, v.strictObject({ a: doubled }), v.array(doubled), v.date()])
    t.false(fitsSchema(schema, 1));
  t.deepEqual(parseValue(doubled, 4), { success: true, output: 8 });
});

const STRANGERS: readonly unknown[] = [
  null,
  true,
  0,
  -1,
  1.5,
  Number.NaN,
  Number.POSITIVE_INFINITY,
  2 ** 32,
  2 ** 60,
  0n,
  -1n,
  2n ** 63n,
  '',
  'code',
  'landed',
  'a\0b',
  'x'.repeat(5000),
  new Uint8Array(3),
  new Uint8Array(50_000),
  [],
  {},
  new Array(5000).fill(0n),
];

/** Replaces, drops or adds one part, somewhere. */
function mutate(value: unknown, random: () => number): unknown {
  const pick = (count: number) => Math.floor(random() * count);
  const isMap = typeof value === 'object' && value !== null && !(value instanceof Uint8Array);
  if (!isMap || random() < 0.2) return STRANGERS[pick(STRANGERS.length)];
  if (Array.isArray(value)) {
    if (value.length === 0 || random() < 0.2) return [...value, STRANGERS[pick(STRANGERS.length)]];
    const at = pick(value.length);
    return value.map((item, index) => (index === at ? mutate(item, random) : item));
  }
  const entries = Object.entries(value);
  const at = pick(entries.length);
  const choice = random();
  if (choice < 0.15) return Object.fromEntries(entries.filter((_, index) => index !== at));
  if (choice < 0.3 || entries.length === 0) return { ...value, extra: 1 };
  return Object.fromEntries(
    entries.map(([key, item], index) => [key, index === at ? mutate(item, random) : item]),
  );
}

test('bytes where a map belongs are refused in no time, however many they are', (t) => {
  // Looking at each of them for a key would take minutes, and more memory than there is.
  const bytes = new Uint8Array(64 * 1024 * 1024);
  for (const { title, schema } of SCHEMAS) t.false(parseValue(schema, bytes).success, title);
  const variant = v.variant('kind', [
    v.strictObject({ kind: v.literal('a'), inner: v.strictObject({ deep: v.array(v.strictObject({})) }) }),
  ]);
  t.false(parseValue(v.nullable(variant), { kind: 'a', inner: bytes }).success);
  t.false(parseValue(variant, { kind: 'a', inner: { deep: [bytes] } }).success);
  t.false(parseValue(v.record(v.string(), v.bigint()), bytes).success);
  t.false(parseValue(v.strictTuple([v.strictObject({})]), [bytes]).success);
  t.true(parseValue(v.nullable(variant), { kind: 'a', inner: { deep: [{}] } }).success);
});
