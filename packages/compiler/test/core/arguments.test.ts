import test from 'ava';
import fc from 'fast-check';
import { checkCallOptions } from '../../src/calls/call-arguments.js';
import { signatureFrom } from '../../src/calls/given-signature.js';
import { SignatureError } from '../../src/calls/signature-error.js';
import { ArgumentError } from '../../src/core/argument-error.js';
import { checkArgument, oneOf, text } from '../../src/core/arguments.js';
import {
  checkAbsolute,
  checkAddC,
  checkEntryOptions,
  checkReexports,
} from '../../src/jit/dylib-arguments.js';
import { checkJITOptions } from '../../src/jit/jit-options.js';
import { checkConnectArguments } from '../../src/pool/pool-arguments.js';

const anything = fc.anything({
  withBigInt: true,
  withBoxedValues: true,
  withDate: true,
  withMap: true,
  withNullPrototype: true,
  withObjectString: true,
  withSet: true,
  withSparseArray: true,
  withTypedArray: true,
});
const NAMES = [
  'deadlineMs',
  'signal',
  'optLevel',
  'plugins',
  'local',
  'executor',
  'env',
  'argv',
  'x',
  '__proto__',
];
/** Anything at all, and anything under a name that some option has. */
const given = fc.oneof(anything, fc.dictionary(fc.constantFrom(...NAMES), anything));

const CHECKS: readonly ((value: never) => unknown)[] = [
  checkCallOptions,
  checkEntryOptions,
  checkJITOptions,
  checkAbsolute,
  signatureFrom,
  (value) => checkConnectArguments([], value),
  (value) => checkConnectArguments(value, {}),
  (value) => checkAddC('', value),
  (value) => checkReexports(value, () => false),
];

test('whatever is given is taken or refused in words of bounded length, and never something else', (t) => {
  for (const check of CHECKS)
    fc.assert(
      fc.property(given, (value) => {
        try {
          check(value as never);
        } catch (error) {
          if (!(error instanceof ArgumentError || error instanceof SignatureError)) throw error;
          if (error instanceof ArgumentError && error.message.length > 1000) throw error;
        }
      }),
    );
  t.pass();
});

test('what is long is not said whole: names, numbers, kinds', (t) => {
  const long = 'k'.repeat(3000);
  for (const check of CHECKS)
    for (const value of [
      { [long]: 1 },
      { x: { [long]: 1 } },
      { env: { [long]: 1 } },
      { deadlineMs: 10n ** 3000n },
    ]) {
      const error = t.throws(() => check(value as never)) as Error;
      t.true(error.message.length < 1000, `${error.message.length}: ${error.message.slice(0, 100)}`);
    }
  const tagged = { [Symbol.toStringTag]: long };
  const error = t.throws(() => checkArgument(oneOf([1, 2]), tagged, 'level'));
  t.regex(error?.message ?? '', /^level is a k{200}…: give one of 1, 2$/);
});

test('a deadline is taken when it is a number of milliseconds that a timer takes, or none', (t) => {
  const isTaken = (deadlineMs: unknown) => {
    try {
      checkCallOptions({ deadlineMs } as never);
      return true;
    } catch {
      return false;
    }
  };
  fc.assert(
    fc.property(fc.double(), (deadlineMs) => {
      const isNumber = deadlineMs >= 0 && deadlineMs <= 2 ** 31 - 1;
      return isTaken(deadlineMs) === (isNumber || deadlineMs === Number.POSITIVE_INFINITY);
    }),
  );
  t.true([0, 0.5, 2 ** 31 - 1, undefined].every(isTaken));
  t.false([2 ** 31, -Number.MIN_VALUE, '1', null].some(isTaken));
});

test('an error shows primitives as they are, and of what may be large or secret the kind', (t) => {
  const messageFor = (value: unknown) =>
    t.throws(() => checkArgument(oneOf([1, 2]), value, 'level'), { instanceOf: ArgumentError })?.message;
  for (const [value, shown] of [
    ['1', '"1"'],
    ['x'.repeat(1000), `"${'x'.repeat(40)}"…`],
    [null, 'null'],
    [undefined, 'undefined'],
    [-0.5, '-0.5'],
    [5n, '5'],
    [true, 'true'],
    [Symbol('secret'), 'a symbol'],
    [() => {}, 'a function'],
    [[1], 'an Array'],
    [{ secret: 1 }, 'an object'],
    [Buffer.from('secret'), 'a Uint8Array'],
    [Promise.resolve(), 'a Promise'],
    [new Map(), 'a Map'],
  ] as const)
    t.is(messageFor(value), `level is ${shown}: give one of 1, 2`);
  t.notThrows(() => checkArgument(text, '', 'text'));
});
