import { type CallSignature, type ParameterKind, type ResultKind, SLOT_BYTES } from './call-signature.js';
import { isStruct, layoutOf, scalarsOf } from './layout.js';
import { INTEGER_REGISTERS, isSse, MAX_REGISTER_BYTES, SSE_REGISTERS } from './passing.js';

/** A part of a value, as a function of bitcode is passed it. */
export interface PassedPart {
  /** A register, the stack, or memory that the caller has made for the result, whose address is in a register. */
  readonly place: 'integer' | 'sse' | 'memory' | 'result';
  readonly sizeBytes: number;
}

/** What a function is passed and returns, where it has structs. */
export interface PassedParts {
  readonly result: readonly PassedPart[];
  /** In order. */
  readonly parameters: readonly PassedPart[];
}

/** A part that a caller passes: one of a struct may take less than the function finds there. */
interface GivenPart extends PassedPart {
  readonly isOfStruct: boolean;
}

/** What a register does not hold of one is on the stack. */
interface Placement<Part> {
  readonly integers: readonly Part[];
  readonly sses: readonly Part[];
  readonly stackSlots: number;
}

/** Narrower integers are passed widened. */
const LEAST_PASSED_BYTES = 4;

/** Whether all that a function takes and gives is scalars. */
export function areScalars({ result, parameters }: CallSignature): boolean {
  return [result, ...parameters].every((kind) => typeof kind === 'string');
}

/** The parts that a function of scalars is passed. */
export function partsOfSignature({ result, parameters }: CallSignature): PassedParts {
  return { result: result === 'void' ? [] : partsOf(result), parameters: parameters.flatMap(partsOf) };
}

/** The parts in words: `i64(32 bytes in memory, float)`. */
export function formatParts({ result, parameters }: PassedParts): string {
  const [first, ...others] = parameters;
  if (first?.place === 'result')
    return `${first.sizeBytes} bytes in memory(${others.map(formatPart).join(', ')})`;
  const returned = result.length === 1 ? formatPart(result[0]) : `{${result.map(formatPart).join(', ')}}`;
  return `${result.length === 0 ? 'void' : returned}(${parameters.map(formatPart).join(', ')})`;
}

function formatPart(part: PassedPart | undefined): string {
  const { place, sizeBytes = 0 } = part ?? {};
  if (place === 'integer') return `i${8 * sizeBytes}`;
  if (place === 'sse') return sizeBytes < SLOT_BYTES ? 'float' : 'double or two floats';
  return `${sizeBytes} bytes in memory`;
}

/**
 * Whether a call with a signature passes what a function takes: as many registers of each kind, in order, and as much of the
 * stack. What is in a struct is not compared: a union may be given as any of its members, and compilers pass a struct as they
 * like, as long as it is in the same registers.
 */
export function fitsParts(given: CallSignature, known: PassedParts): boolean {
  const [first, ...others] = known.parameters;
  const hasResult = first?.place === 'result';
  const address: PassedPart = { place: 'integer', sizeBytes: SLOT_BYTES };
  const taken = placementOf((hasResult ? [address, ...others] : known.parameters).map((part) => [part]));
  const isInMemory = isStruct(given.result) && layoutOf(given.result).sizeBytes > MAX_REGISTER_BYTES;
  const parameters = given.parameters.map(partsOf);
  const passed = placementOf(isInMemory ? [[{ ...address, isOfStruct: false }], ...parameters] : parameters);
  return (
    areAll(passed.integers, taken.integers, isPassedAsInteger) &&
    areAll(passed.sses, taken.sses, isOfSize) &&
    passed.stackSlots === taken.stackSlots &&
    isReturnedAs(given.result, isInMemory, known.result, hasResult ? first : undefined)
  );
}

function isReturnedAs(
  given: ResultKind,
  isInMemory: boolean,
  result: readonly PassedPart[],
  memory: PassedPart | undefined,
): boolean {
  if (given === 'void') return true;
  if (isInMemory && isStruct(given))
    return result.length === 0 && (!memory || slotsOf(layoutOf(given)) === slotsOf(memory));
  // The address of such a result comes back too.
  const returned = memory ? [{ place: 'integer', sizeBytes: SLOT_BYTES } as const] : result;
  const isIn = (place: string) => (part: PassedPart) => part.place === place;
  const parts = partsOf(given);
  return (
    areAll(parts.filter(isIn('integer')), returned.filter(isIn('integer')), isOfSize) &&
    areAll(parts.filter(isIn('sse')), returned.filter(isIn('sse')), isOfSize)
  );
}

/** Where parts are: those of one value are in registers all, or none. */
function placementOf<Part extends PassedPart>(values: readonly (readonly Part[])[]): Placement<Part> {
  const integers: Part[] = [];
  const sses: Part[] = [];
  let stackSlots = 0;
  for (const parts of values) {
    const sse = parts.filter(({ place }) => place === 'sse');
    const integer = parts.filter(({ place }) => place === 'integer');
    const isInRegisters =
      sse.length + integer.length === parts.length &&
      integers.length + integer.length <= INTEGER_REGISTERS &&
      sses.length + sse.length <= SSE_REGISTERS;
    if (isInRegisters) {
      integers.push(...integer);
      sses.push(...sse);
    } else for (const part of parts) stackSlots += slotsOf(part);
  }
  return { integers, sses, stackSlots };
}

function slotsOf({ sizeBytes }: { readonly sizeBytes: number }): number {
  return Math.ceil(sizeBytes / SLOT_BYTES);
}

/** A struct's eightbytes, each up to where its last scalar ends. */
function partsOf(kind: ParameterKind | Exclude<ResultKind, 'void'>): GivenPart[] {
  if (!isStruct(kind)) {
    const { sizeBytes } = layoutOf(kind === 'inout ptr' ? 'ptr' : kind);
    return [{ place: isSse(kind) ? 'sse' : 'integer', sizeBytes, isOfStruct: false }];
  }
  const { sizeBytes } = layoutOf(kind);
  if (sizeBytes > MAX_REGISTER_BYTES) return [{ place: 'memory', sizeBytes, isOfStruct: true }];
  const scalars = scalarsOf(kind).map((scalar) => ({ ...scalar, ...layoutOf(scalar.kind) }));
  return Array.from({ length: slotsOf({ sizeBytes }) }, (_, slot) => {
    const here = scalars.filter(({ offset }) => Math.floor(offset / SLOT_BYTES) === slot);
    const ends = here.map(({ offset, sizeBytes: bytes }) => offset - slot * SLOT_BYTES + bytes);
    const place = here.every(({ kind: scalar }) => isSse(scalar)) ? 'sse' : 'integer';
    return { place, sizeBytes: Math.max(...ends), isOfStruct: true };
  });
}

function areAll(
  given: readonly GivenPart[],
  known: readonly PassedPart[],
  fits: (given: GivenPart, known: PassedPart) => boolean,
): boolean {
  return (
    given.length === known.length &&
    given.every((part, index) => {
      const its = known[index];
      return its !== undefined && fits(part, its);
    })
  );
}

function isPassedAsInteger({ sizeBytes, isOfStruct }: GivenPart, known: PassedPart): boolean {
  const [mine, its] = [widened(sizeBytes), widened(known.sizeBytes)];
  return isOfStruct ? mine <= its : mine === its;
}

function widened(sizeBytes: number): number {
  return sizeBytes <= LEAST_PASSED_BYTES ? LEAST_PASSED_BYTES : SLOT_BYTES;
}

function isOfSize({ sizeBytes, isOfStruct }: GivenPart, known: PassedPart): boolean {
  return isOfStruct ? sizeBytes <= known.sizeBytes : sizeBytes === known.sizeBytes;
}
