import { checkCallOptions } from '../calls/call-arguments.js';
import type { CallSignature } from '../calls/call-signature.js';
import { checkColumns } from '../calls/callable.js';
import { LoopCalls } from '../calls/loop-calls.js';
import type { CallOptions } from '../calls/session-calls.js';
import { checkArgument, nameText } from '../core/arguments.js';
import { Applications } from '../layers/applications.js';
import { FunctionLayer } from '../layers/function-layer.js';
import { FunctionUnit } from '../layers/function-unit.js';
import type { LayerStack } from '../layers/layer-stack.js';
import type { ExecutionSession } from '../session/execution-session.js';

/** Applies functions of doubles to columns, whoever defines them. */
export class ColumnCalls {
  readonly #loops: LoopCalls;
  readonly #signatureOf: (name: string) => CallSignature | undefined;

  /** @param signatureOf how a name of the main dylib is called, as it is now. */
  constructor(
    session: ExecutionSession,
    layers: LayerStack,
    signatureOf: (name: string) => CallSignature | undefined,
  ) {
    const others = new FunctionLayer(new Applications(signatureOf), layers);
    // Each loop is made by whoever can have the body of what it applies in it.
    const layerOf = (name: string) => {
      const { unit } = session.mainDylib.lookup(name);
      return unit instanceof FunctionUnit && unit.layer.frontEnd.application ? unit.layer : others;
    };
    this.#signatureOf = signatureOf;
    this.#loops = new LoopCalls(session, {
      loopUnit: (name, parameterCount) => layerOf(name).loopUnit(name, parameterCount),
    });
  }

  /** See `JIT.applyToColumns`. */
  async apply(name: string, columns: readonly Float64Array[], options: CallOptions): Promise<Float64Array> {
    checkArgument(nameText, name, 'name');
    checkCallOptions(options);
    checkColumns(name, this.#signatureOf(name), columns);
    const content = await this.#loops.call(name, columns, options);
    const results = new Float64Array(columns[0]?.length ?? 0);
    new Uint8Array(results.buffer).set(content);
    return results;
  }
}
