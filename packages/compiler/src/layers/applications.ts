import type { KeyBytes } from '../cache/key-bytes.js';
import type { CallSignature } from '../calls/call-signature.js';
import { isOfDoubles } from '../calls/callable.js';
import { ArgumentError } from '../core/argument-error.js';
import type { Call } from '../core/call-edges.js';
import { DOUBLE, FunctionType } from '../ir/types.js';
import type { BodyEmission, FrontEnd } from './front-end.js';

/** A function that calls another with its own arguments. */
interface Application {
  readonly callee: string;
  readonly parameterCount: number;
}

/**
 * The core's own front end: what loops over columns apply where the function is a module's, the process's, or of a language
 * that has no `application`.
 */
export class Applications implements FrontEnd<Application> {
  readonly name = 'application';
  readonly #signatureOf: (name: string) => CallSignature | undefined;

  /** @param signatureOf how a name is called, as it is now. */
  constructor(signatureOf: (name: string) => CallSignature | undefined) {
    this.#signatureOf = signatureOf;
  }

  nameOf({ callee }: Application): string {
    return `map$${callee}`;
  }

  typeOf({ parameterCount }: Application): FunctionType {
    return new FunctionType(DOUBLE, new Array<typeof DOUBLE>(parameterCount).fill(DOUBLE));
  }

  parameterCountOf(name: string): number | undefined {
    const signature = this.#signatureOf(name);
    return signature && isOfDoubles(signature) ? signature.parameters.length : undefined;
  }

  callsOf({ callee }: Application): Call[] {
    return [{ callee, isCertain: true }];
  }

  sizeOf(): number {
    return 1;
  }

  addKey({ callee, parameterCount }: Application, bytes: KeyBytes): void {
    bytes.string(callee);
    bytes.count(parameterCount);
  }

  /** @throws {ArgumentError} when the function has got another signature since it was asked for. */
  check({ callee, parameterCount }: Application): void {
    if (this.parameterCountOf(callee) !== parameterCount)
      throw new ArgumentError(`${callee} has another signature than when it was asked for`);
  }

  emit(application: Application, { ir, function: emitted, calleeOf }: BodyEmission): void {
    const values = Array.from({ length: application.parameterCount }, (_, index) =>
      ir.argument(emitted, index),
    );
    ir.ret(ir.call(calleeOf(application.callee, this.typeOf(application)), values));
  }

  application(callee: string, parameterCount: number): Application {
    return { callee, parameterCount };
  }
}
