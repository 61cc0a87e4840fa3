import * as v from 'valibot';
import { ArgumentError } from '../core/argument-error.js';
import { checkArgument, is, listOf } from '../core/arguments.js';
import type { CallSignature, ParameterKind, ResultKind } from './call-signature.js';
import { areScalars, fitsParts, formatParts, type PassedParts, partsOfSignature } from './passed-parts.js';
import { formatSignature, parseSignature, SCALARS } from './signature-text.js';

/** Deeper than any that `parseSignature` takes, which says what is wrong with those. */
const MAX_DEPTH = 32;
const KINDS = `${SCALARS.join(', ')}, or an object with the fields of a struct`;

const SHAPE = 'a signature in words, or an object with "result" and "parameters"';

const givenSignature = v.strictObject(
  {
    result: is((kind) => kind === 'void' || isKind(kind, 0), `void, ${KINDS}`),
    parameters: listOf(
      is((kind) => kind === 'inout ptr' || isKind(kind, 0), `inout ptr, ${KINDS}`),
      'an array of kinds',
    ),
  },
  ({ expected }) => (expected === 'never' ? `is no part of one: give ${SHAPE}` : SHAPE),
);

/**
 * A signature that a caller gives, as words or as an object, of which it is a copy.
 * @throws {SignatureError} for words that are none, and for structs that cannot be passed.
 * @throws {ArgumentError} for an object that is none.
 */
export function signatureFrom(given: CallSignature | string): CallSignature {
  if (typeof given === 'string') return parseSignature(given);
  checkArgument(givenSignature, given, 'signature');
  return parseSignature(formatSignature(given));
}

/**
 * A signature that is given, as long as it fits what defines the function by then.
 * @param definedNow as what defines it says, where it does.
 */
export function fittingSignature(
  given: CallSignature,
  definedNow: () => CallSignature | PassedParts | undefined,
  name: string,
): () => CallSignature {
  let fitted: CallSignature | PassedParts | undefined;
  return () => {
    const defined = definedNow();
    if (defined && defined !== fitted) checkFits(given, defined, name);
    fitted = defined;
    return given;
  };
}

/**
 * Sees that a call with a signature that was given finds the function as it is: that it passes as many values, each in the
 * register, and with the bits, that the function takes it from. Whether there is a sign is the caller's affair, and so
 * is what is in a struct, of which bitcode says where it is passed and no more.
 * @param known as what defines the function says.
 * @throws {ArgumentError}
 */
function checkFits(given: CallSignature, known: CallSignature | PassedParts, name: string): void {
  if (!isSignature(known)) {
    if (fitsParts(given, known)) return;
    throw new ArgumentError(`signature is ${formatSignature(given)}, and ${name} is ${formatParts(known)}`);
  }
  // Who has added an object has said it as this caller does.
  if (!areScalars(known)) return;
  const fits = areScalars(given) ? fitsScalars(given, known) : fitsParts(given, partsOfSignature(known));
  if (!fits)
    throw new ArgumentError(
      `signature is ${formatSignature(given)}, and ${name} is ${formatSignature(known)}: give that, or none`,
    );
}

function isSignature(known: CallSignature | PassedParts): known is CallSignature {
  return !Array.isArray(known.result);
}

function fitsScalars(given: CallSignature, known: CallSignature): boolean {
  return (
    isReturnedAs(given.result, known.result) &&
    given.parameters.length === known.parameters.length &&
    given.parameters.every((kind, index) => isPassedAs(kind, known.parameters[index]))
  );
}

type Kind = ResultKind | ParameterKind | undefined;

const BITS: ReadonlyMap<Kind, number> = new Map<Kind, number>([
  // What C has for a `bool`.
  ...(['i1', 'i8', 'u8'] as const).map((kind) => [kind, 8] as const),
  ...(['i16', 'u16'] as const).map((kind) => [kind, 16] as const),
  ...(['i32', 'u32'] as const).map((kind) => [kind, 32] as const),
  ...(['i64', 'u64', 'ptr', 'inout ptr'] as const).map((kind) => [kind, 64] as const),
]);

/** Narrower integers are passed widened to so many bits. */
const LEAST_PASSED_BITS = 32;

function isReturnedAs(given: Kind, known: Kind): boolean {
  return given === known || given === 'void' || (BITS.has(given) && BITS.get(given) === BITS.get(known));
}

function isPassedAs(given: Kind, known: Kind): boolean {
  const [mine, its] = [BITS.get(given), BITS.get(known)];
  if (mine === undefined || its === undefined) return given === known;
  return Math.max(mine, LEAST_PASSED_BITS) === Math.max(its, LEAST_PASSED_BITS);
}

function isKind(kind: unknown, depth: number): boolean {
  if (typeof kind === 'string') return SCALARS.includes(kind);
  if (typeof kind !== 'object' || kind === null || depth === MAX_DEPTH) return false;
  const { fields, element, count } = kind as Readonly<Record<string, unknown>>;
  return Array.isArray(fields)
    ? fields.every((field) => isKind(field, depth + 1))
    : Number.isSafeInteger(count) && isKind(element, depth + 1);
}
