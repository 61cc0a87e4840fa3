import { type HostFunctionDescription, hostFunctions } from '@farjit/protocol';
import { FeatureError } from '@farjit/protocol/errors';
import { ArgumentError } from '../core/argument-error.js';
import type { ExecutorProcessControl } from '../executor-client/executor-process-control.js';
import type { CallSignature, ScalarKind } from './call-signature.js';
import type { HostRun } from './host-run.js';
import type { ScalarValue } from './scalars.js';
import { formatSignature } from './signature-text.js';
import type { ReturnedFor, ValuesOf } from './typed-signature.js';

/** A function in JavaScript that code calls by its name, as it calls a function of C. */
export interface HostFunction<Signature extends CallSignature | string = CallSignature | string> {
  /** Of scalars, in words (`i32(ptr, i64)`) or as an object. */
  readonly signature: Signature;
  /**
   * Called each time, also while another call of it has not ended. The thread waits until it has returned, or what it has returned
   * has settled. What it throws, or its promise is rejected with, ends the call that the thread is in.
   * @param run the call that the thread is in.
   * @param args 64-bit integers and pointers are bigints, all else numbers.
   * @returns the same; a boolean will do for an `i1`, null for a `ptr`, and anything for `void`.
   */
  call(
    run: HostRun,
    ...args: ValuesOf<Signature>
  ): ReturnedFor<Signature> | PromiseLike<ReturnedFor<Signature>>;
}

/** Functions in JavaScript by their names. */
export type HostFunctions<Signatures extends Readonly<Record<string, CallSignature | string>>> = {
  readonly [Name in keyof Signatures]: HostFunction<Signatures[Name]>;
};

/** The same, whatever its types. */
export type AnyHostFunction = (run: HostRun, ...args: ScalarValue[]) => unknown;

/** The types of a function that can be one in JavaScript. */
export interface HostSignature {
  readonly result: ScalarKind | 'void';
  readonly parameters: readonly ScalarKind[];
}

/**
 * Sees that a function of this signature can be one in JavaScript.
 * @throws {ArgumentError} which names the type that cannot be passed.
 */
export function hostSignature(name: string, signature: CallSignature): HostSignature {
  const { result, parameters } = signature;
  const refuse = (what: string): never => {
    throw new ArgumentError(
      `${name} cannot be a function in JavaScript: its signature ${formatSignature(signature)} has ${what}`,
    );
  };
  const scalar = <Kind>(kind: Kind, place: string): Exclude<Kind, object> => {
    if (typeof kind === 'object') refuse(`a struct ${place}: pass a ptr to it`);
    if (kind === 'inout ptr')
      refuse(`an inout ptr ${place}: it is a ptr, which the function writes to by its run`);
    return kind as Exclude<Kind, object>;
  };
  if (parameters.length > hostFunctions.MAX_HOST_PARAMETERS)
    refuse(`${parameters.length} parameters, and there is room for ${hostFunctions.MAX_HOST_PARAMETERS}`);
  return {
    result: scalar(result, 'for its result'),
    parameters: parameters.map((kind, index) => scalar(kind, `for parameter ${index + 1}`) as ScalarKind),
  };
}

/** @throws {FeatureError} for an executor that calls no functions in JavaScript. */
export function refuseHostFunction(
  name: string,
  executor: Pick<ExecutorProcessControl, 'callsHostFunctions' | 'server'>,
): void {
  if (!executor.callsHostFunctions)
    throw new FeatureError(
      `${name} is not defined: the executor (${executor.server}) is of a release that calls no functions in JavaScript`,
    );
}

/** As the executor is told of it. */
export function describeHostFunction(
  number: number,
  { result, parameters }: HostSignature,
): HostFunctionDescription {
  return { number, result, parameters: [...parameters] };
}
