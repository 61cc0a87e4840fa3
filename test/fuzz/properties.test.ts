import { ProtocolError } from '@farjit/protocol/errors';
import test from 'ava';
import fc from 'fast-check';
import { OperatorTable } from '#compiler/src/frontends/kaleidoscope/operators.js';
import { parseSource } from '#compiler/src/frontends/kaleidoscope/parser.js';
import { SourceText } from '#compiler/src/frontends/kaleidoscope/source-text.js';
import { decodeFrame, encodeFrame, type Frame, FrameKind } from '#protocol/src/codec.js';
import { printable, printableLines } from '#protocol/src/printable.js';
import { WORDS } from './targets/source-inputs.js';

/** The same inputs each time; a failure is reported small. */
const PARAMETERS = { seed: 1, numRuns: 1000 } as const;

const key = fc
  .string({ unit: 'grapheme-ascii', maxLength: 12 })
  .filter((text) => !['__proto__', 'constructor', 'prototype'].includes(text));

/** Every value that a body may hold, nested no deeper than messages are. */
const { value } = fc.letrec<{ value: unknown }>((tie) => ({
  value: fc.oneof(
    { maxDepth: 4 },
    fc.constant(null),
    fc.boolean(),
    fc.integer(),
    fc.double({ noNaN: true }),
    fc.bigInt({ min: -(2n ** 63n), max: 2n ** 64n - 1n }),
    fc.string({ unit: 'binary' }),
    fc.uint8Array({ maxLength: 40 }),
    fc.array(tie('value'), { maxLength: 5 }),
    fc.dictionary(key, tie('value'), { maxKeys: 5, noNullPrototype: true }),
  ),
}));

const count = fc.integer({ min: 0, max: 0xffff_ffff });
const frame: fc.Arbitrary<Frame> = fc.record({
  kind: fc.constantFrom(
    FrameKind.Request,
    FrameKind.Response,
    FrameKind.Error,
    FrameKind.Notification,
    FrameKind.Cancel,
  ),
  id: fc.maxSafeNat(),
  sequence: fc.maxSafeNat(),
  acknowledged: fc.maxSafeNat(),
  generation: count,
  deadlineMs: fc.option(count),
  traceparent: fc.option(fc.string({ maxLength: 128 })),
  method: fc.string({ maxLength: 64 }),
  body: value,
});

test('what is encoded decodes to the same', (t) => {
  fc.assert(
    fc.property(frame, (sent) => {
      const { valueCount, ...received } = decodeFrame(encodeFrame(sent));
      t.deepEqual(normalized(received), normalized(sent));
      // The array and its nine items, at least.
      t.true(valueCount >= 10);
    }),
    PARAMETERS,
  );
});

/** -0 goes as the integer 0, and a Buffer is a Uint8Array. */
function normalized(item: unknown): unknown {
  if (item === 0) return 0;
  if (item instanceof Uint8Array) return Uint8Array.from(item);
  if (Array.isArray(item)) return item.map(normalized);
  if (typeof item !== 'object' || item === null) return item;
  return Object.fromEntries(Object.entries(item).map(([name, part]) => [name, normalized(part)]));
}

test('any bytes are a frame or a ProtocolError', (t) => {
  let refused = 0;
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => {
      try {
        decodeFrame(bytes);
      } catch (error) {
        if (!(error instanceof ProtocolError)) throw error;
        refused++;
      }
    }),
    PARAMETERS,
  );
  t.true(refused > 900);
});

test('any text is items and diagnostics, which stand inside it', (t) => {
  const word = fc.constantFrom(...WORDS, '\u001b', '\0', '😀', '#');
  const text = fc.oneof(
    fc.string({ unit: 'binary', maxLength: 200 }),
    fc.array(word, { maxLength: 60 }).map((words) => words.join(' ')),
  );
  let items = 0;
  fc.assert(
    fc.property(text, (source) => {
      const parsed = parseSource(new SourceText('any', source), new OperatorTable());
      items += parsed.items.length;
      for (const { range, line, column } of parsed.diagnostics)
        if (range.start < 0 || range.end > source.length || line < 1 || column < 1)
          throw new Error('outside');
    }),
    PARAMETERS,
  );
  t.true(items > 0);
});

test('what is made printable drives no terminal, and once is enough', (t) => {
  fc.assert(
    fc.property(fc.string({ unit: 'binary' }), (text) => {
      const safe = printable(text);
      if (/[\x00-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\u2028\u2029]/.test(safe))
        throw new Error('not escaped');
      if (printable(safe) !== safe) throw new Error('escaped twice');
      if (printableLines(text).replaceAll(/[\n\t]/g, '') !== printable(text.replaceAll(/[\n\t]/g, '')))
        throw new Error('lines are escaped otherwise');
    }),
    PARAMETERS,
  );
  t.pass();
});
