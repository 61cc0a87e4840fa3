import { type ExecutorAddr, formatAddr, NULL_ADDR } from '@farjit/protocol/executor-addr';
import { SymbolsNotFoundError } from '../core/errors.js';
import type { SymbolRef } from '../core/jit-dylib.js';
import type { MaterializationUnit } from '../core/materialization-unit.js';
import type { RunnerContext } from '../runner/runner-context.js';
import { type CallSignature, callWrapperName, MAIN_WRAPPER_NAME } from './call-signature.js';
import {
  decodeResult,
  encodeBlock,
  encodeMainBlock,
  type JITCallable,
  type ScalarValue,
  setCallee,
} from './callable.js';
import type { CallingSession } from './calling-session.js';
import type { CallOptions } from './session-calls.js';

/** Makes the wrappers that calls from outside go through. */
export interface WrapperLayer {
  /** The wrapper that calls any function of a signature. */
  wrapperUnit(signature: CallSignature): MaterializationUnit;
  /** The wrapper that calls an `int main(int, char **)`. */
  mainWrapperUnit(): MaterializationUnit;
}

/** Calls functions of scalars through wrappers, of which each signature has one, compiled when it is first needed. */
export class WrapperCalls {
  readonly #session: CallingSession;
  readonly #wrapperLayer: WrapperLayer;
  readonly #wrappers = new Map<string, MaterializationUnit>();

  constructor(session: CallingSession, wrapperLayer: WrapperLayer) {
    this.#session = session;
    this.#wrapperLayer = wrapperLayer;
  }

  /**
   * A callable that calls what a name means when the call leaves.
   * @param signatureNow its signature; asked for each call and again on its way, since a redefinition may change it.
   */
  callable({ dylib, name }: SymbolRef, signatureNow: () => CallSignature): JITCallable {
    const ref = dylib.ref(name);
    const addressOf = async (runner: RunnerContext) => {
      const symbol = await this.#session.resolve(ref, runner);
      if (!symbol) throw new SymbolsNotFoundError([name]);
      return symbol.address;
    };
    const call = (args: readonly ScalarValue[], options: CallOptions) =>
      this.#call(ref, signatureNow, args, options, addressOf);
    const callable = (...args: ScalarValue[]) => call(args, {});
    const properties = { symbol: name, signature: signatureNow(), call };
    return Object.defineProperty(Object.assign(callable, properties), 'signature', { get: signatureNow });
  }

  callAddress(
    address: ExecutorAddr,
    signature: CallSignature,
    args: readonly ScalarValue[],
    options: CallOptions,
  ): Promise<ScalarValue | undefined> {
    return this.#call(
      this.#session.mainDylib.ref(formatAddr(address)),
      () => signature,
      args,
      options,
      async () => address,
    );
  }

  /** Calls an `int main(int argc, char **argv)`. */
  async callMain(address: ExecutorAddr, argv: readonly string[], options: CallOptions): Promise<number> {
    const encoded = encodeMainBlock(address, argv);
    const unit = this.#wrapper(MAIN_WRAPPER_NAME, () => this.#wrapperLayer.mainWrapperUnit());
    const prepare = async (runner: RunnerContext) => ({
      entry: await this.#session.link(unit, MAIN_WRAPPER_NAME, runner),
      block: encoded,
    });
    const block = await this.#session.call('main', prepare, options);
    return Number(decodeResult({ result: 'i32', parameters: [] }, block));
  }

  async #call(
    { dylib, name }: SymbolRef,
    signatureNow: () => CallSignature,
    args: readonly ScalarValue[],
    options: CallOptions,
    addressOf: (runner: RunnerContext) => Promise<ExecutorAddr>,
  ): Promise<ScalarValue | undefined> {
    let result = signatureNow().result;
    const prepare = async (runner: RunnerContext) => {
      for (;;) {
        const signature = signatureNow();
        const wrapperName = callWrapperName(signature);
        const block = encodeBlock(name, NULL_ADDR, signature, args);
        const unit = this.#wrapper(wrapperName, () => this.#wrapperLayer.wrapperUnit(signature));
        const entry = await this.#session.link(unit, wrapperName, runner);
        setCallee(block, await addressOf(runner));
        if (callWrapperName(signatureNow()) !== wrapperName) continue;
        result = signature.result;
        return { block, entry };
      }
    };
    const block = await this.#session.call(name, prepare, options);
    // Calls are guessed from what the main dylib's functions call.
    if (dylib === this.#session.mainDylib) this.#session.noteReturned([{ callee: name, isCertain: true }]);
    return decodeResult({ result, parameters: [] }, block);
  }

  #wrapper(name: string, make: () => MaterializationUnit): MaterializationUnit {
    const unit = this.#wrappers.get(name) ?? make();
    this.#wrappers.set(name, unit);
    return unit;
  }
}
