import type { Segment } from '@farjit/protocol';
import { addrAdd, type ExecutorAddr, formatAddr } from '@farjit/protocol/executor-addr';
import { throwIfAborted } from '../core/aborting.js';
import { checkArgument, executorAddr } from '../core/arguments.js';
import { SymbolsNotFoundError } from '../core/errors.js';
import type { SymbolRef } from '../core/jit-dylib.js';
import type { MaterializationUnit } from '../core/materialization-unit.js';
import type { RunnerContext } from '../runner/runner-context.js';
import { type CArgument, type CValue, captureArgument, hasBytes } from './c-values.js';
import { argumentTexts, checkArgumentList, checkCallOptions } from './call-arguments.js';
import type { CallData } from './call-data.js';
import {
  type CallSignature,
  callWrapperName,
  MAIN_WRAPPER_NAME,
  type WrapperSignature,
} from './call-signature.js';
import {
  decodeResult,
  type EncodedCall,
  encodeCall,
  encodeMainBlock,
  type JITCallable,
  setCallee,
} from './callable.js';
import type { CallingSession } from './calling-session.js';
import { currentRun, type OpenRun } from './host-run.js';
import { passingOf } from './passing.js';
import { type CallOptions, notCalled, type PreparedCall } from './session-calls.js';

/** As of what `CallData` places. */
const BLOCK_ALIGNMENT = 16;

/** Makes the wrappers that calls from outside go through. */
export interface WrapperLayer {
  /** The wrapper of all functions that are called alike. */
  wrapperUnit(signature: WrapperSignature): MaterializationUnit;
  /** The wrapper that calls an `int main(int, char **)`. */
  mainWrapperUnit(): MaterializationUnit;
}

/** Calls functions of C through wrappers, one for all that are called alike, compiled when it is first needed. */
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
    const call = async (args: readonly CArgument[], options: CallOptions = {}) => {
      checkArgumentList(args);
      checkCallOptions(options);
      return this.#call(ref, signatureNow, args, options, addressOf);
    };
    const callable = (...args: CArgument[]) => this.#call(ref, signatureNow, args, {}, addressOf);
    const properties = { symbol: name, signature: signatureNow(), call };
    return Object.defineProperty(Object.assign(callable, properties), 'signature', { get: signatureNow });
  }

  /** @throws {ArgumentError} for what is no address, and no options. */
  async callAddress(
    address: ExecutorAddr,
    signature: CallSignature,
    args: readonly CArgument[],
    options: CallOptions,
  ): Promise<CValue | undefined> {
    checkArgument(executorAddr, address, 'address');
    checkCallOptions(options);
    return this.#call(
      this.#session.mainDylib.ref(formatAddr(address)),
      () => signature,
      args,
      options,
      async () => address,
    );
  }

  /** Calls an `int (int, …)` by address. */
  async callInt(address: ExecutorAddr, args: readonly number[], options: CallOptions): Promise<number> {
    const signature: CallSignature = { result: 'i32', parameters: args.map(() => 'i32' as const) };
    return Number(await this.callAddress(address, signature, args, options));
  }

  /** Calls an `int main(int argc, char **argv)`. */
  async callMain(address: ExecutorAddr, argv: readonly string[], options: CallOptions): Promise<number> {
    checkArgument(executorAddr, address, 'address');
    checkArgument(argumentTexts, argv, 'argv');
    checkCallOptions(options);
    const encoded = encodeMainBlock(address, argv);
    const unit = this.#wrapper(MAIN_WRAPPER_NAME, () => this.#wrapperLayer.mainWrapperUnit());
    const prepare = async (runner: RunnerContext) => ({
      entry: await this.#session.link(unit, MAIN_WRAPPER_NAME, runner),
      block: encoded,
    });
    const block = await this.#session.call('main', prepare, options);
    return Number(decodeResult({ result: 'i32', parameters: [] }, block));
  }

  /** Where it is called from a function in JavaScript, which a thread of the same runner waits for, it is called there. */
  async #call(
    ref: SymbolRef,
    signatureNow: () => CallSignature,
    args: readonly CArgument[],
    options: CallOptions,
    addressOf: (runner: RunnerContext) => Promise<ExecutorAddr>,
  ): Promise<CValue | undefined> {
    const run = currentRun.getStore();
    const isWithin = run && !run.hasEnded && this.#session.isCurrent(run.context.runner);
    if (!isWithin) return this.#callIn(ref, signatureNow, args, options, addressOf);
    return run.inTurn(ref.name, options.signal, () =>
      this.#callIn(ref, signatureNow, args, options, addressOf, run),
    );
  }

  async #callIn(
    { dylib, name }: SymbolRef,
    signatureNow: () => CallSignature,
    args: readonly CArgument[],
    options: CallOptions,
    addressOf: (runner: RunnerContext) => Promise<ExecutorAddr>,
    run?: OpenRun,
  ): Promise<CValue | undefined> {
    const captured = args.map((arg, index) => captureArgument(arg, `${name}: argument ${index + 1}`));
    const isOnData = captured.some(hasBytes) || passingOf(signatureNow()).resultBytes > 0;
    let call!: EncodedCall;
    const prepare = async (runner: RunnerContext) => {
      for (;;) {
        const signature = signatureNow();
        const { wrapper } = passingOf(signature);
        const wrapperName = callWrapperName(wrapper);
        call = encodeCall(name, signature, captured);
        const unit = this.#wrapper(wrapperName, () => this.#wrapperLayer.wrapperUnit(wrapper));
        const entry = await this.#session.link(unit, wrapperName, runner);
        setCallee(call.block, await addressOf(runner));
        if (callWrapperName(passingOf(signatureNow()).wrapper) === wrapperName)
          return { block: call.block, entry };
      }
    };
    let block: Uint8Array;
    if (run) block = await this.#callWithin(run, name, prepare, () => call.data, options);
    else if (isOnData) block = await this.#callOnData(name, prepare, () => call.data, options);
    else block = await this.#session.call(name, prepare, options);
    // Calls are guessed from what the main dylib's functions call.
    if (dylib === this.#session.mainDylib) this.#session.noteReturned([{ callee: name, isCertain: true }]);
    return call.resultIn(block);
  }

  /** A call of which pointers lead to memory that is its own as long as it lasts. */
  async #callOnData(
    name: string,
    prepare: (runner: RunnerContext) => Promise<PreparedCall>,
    dataNow: () => CallData,
    options: CallOptions,
  ): Promise<Uint8Array> {
    let free = () => {};
    const prepareData = async (runner: RunnerContext) => {
      free();
      const call = await prepare(runner);
      throwIfAborted(options.signal, notCalled(name));
      const data = dataNow();
      data.check(name, runner.commits.limits);
      const { address } = runner.allocate('data', data.sizeBytes, data.alignment);
      free = () => {
        free = () => {};
        if (!runner.lost) runner.free('data', address);
      };
      const { segments, read } = data.placeAt(address, call.block);
      return { ...call, data: segments, read };
    };
    try {
      const { block, content } = await this.#session.callOnData(name, prepareData, options);
      dataNow().take(content);
      return block;
    } finally {
      free();
    }
  }

  /** A call of which the block, too, is in memory: that of the thread's own call is in use. */
  async #callWithin(
    { context: { id, runner } }: OpenRun,
    name: string,
    prepare: (runner: RunnerContext) => Promise<PreparedCall>,
    dataNow: () => CallData,
    options: CallOptions,
  ): Promise<Uint8Array> {
    let free = () => {};
    let blockBytes = 0;
    let roomBytes = 0;
    const prepareWithin = async () => {
      free();
      const { entry, block } = await prepare(runner);
      const data = dataNow();
      data.check(name, runner.commits.limits);
      blockBytes = block.byteLength;
      roomBytes = BLOCK_ALIGNMENT * Math.ceil(blockBytes / BLOCK_ALIGNMENT);
      const { address } = runner.allocate('data', roomBytes + data.sizeBytes, BLOCK_ALIGNMENT);
      free = () => {
        free = () => {};
        if (!runner.lost) runner.free('data', address);
      };
      const { segments, read } = data.placeAt(addrAdd(address, roomBytes), block);
      const own: Segment = { address, prot: 'data', content: block, memoryBytes: roomBytes };
      return {
        entry,
        argument: address,
        data: data.sizeBytes > 0 ? [own, ...segments] : [own],
        read: { address, sizeBytes: roomBytes + read.sizeBytes },
      };
    };
    try {
      const content = await this.#session.callWithin({ runner, call: id }, name, prepareWithin, options);
      dataNow().take(content.subarray(roomBytes));
      return content.subarray(0, blockBytes);
    } finally {
      free();
    }
  }

  #wrapper(name: string, make: () => MaterializationUnit): MaterializationUnit {
    const unit = this.#wrappers.get(name) ?? make();
    this.#wrappers.set(name, unit);
    return unit;
  }
}
