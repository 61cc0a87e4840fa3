import { checkCallOptions } from '../calls/call-arguments.js';
import type { CallOptions } from '../calls/session-calls.js';
import { checkArgument, objectWith } from '../core/arguments.js';
import type { FrontEnd } from '../layers/front-end.js';
import { FunctionLayer } from '../layers/function-layer.js';
import { FunctionUnit } from '../layers/function-unit.js';
import type { FunctionLayerContext } from '../layers/recipe-compiler.js';
import type { RunnerContext } from '../runner/runner-context.js';
import type { ExecutionSession } from '../session/execution-session.js';
import type { Dylib } from './dylib.js';
import type { ResourceTracker } from './jit-types.js';

const BLOCK_BYTES = 8;

const functionBody = objectWith([], "an object: the function's body");

/** The functions of one front end in a JIT: compiled when they are first called, and again when they have become hot. */
export class Functions<Body extends object> {
  /**
   * For calls of the front end's own making.
   * @internal
   */
  readonly layer: FunctionLayer<Body>;
  readonly #session: ExecutionSession;
  readonly #dylib: Dylib;

  /** @internal */
  constructor(
    frontEnd: FrontEnd<Body>,
    session: ExecutionSession,
    layers: FunctionLayerContext,
    dylib: Dylib,
  ) {
    this.layer = new FunctionLayer(frontEnd, layers);
    this.#session = session;
    this.#dylib = dylib;
  }

  /**
   * Defines a function. Nothing is compiled and nothing is sent; that happens when it is called. An earlier
   * definition of the name is replaced, for callers that are compiled already too.
   */
  define(body: Body): ResourceTracker {
    checkArgument(functionBody, body, 'body');
    return this.#dylib.define(this.layer.functionUnit(body));
  }

  /** The function that a name means now, if it is this front end's. */
  find(name: string): Body | undefined {
    const { unit } = this.#session.mainDylib.lookup(name);
    const isOurs = unit instanceof FunctionUnit && unit.layer === this.layer;
    return isOurs ? (unit.body as Body) : undefined;
  }

  /** Evaluates a function of no parameters that gives a double once, and forgets it. */
  async evaluate(body: Body, options: CallOptions = {}): Promise<number> {
    checkArgument(functionBody, body, 'body');
    checkCallOptions(options);
    const { unit, entry } = this.layer.expressionUnit(body);
    this.#session.guesses.noteReachable(unit.callees);
    try {
      const prepare = async (runner: RunnerContext) => ({
        entry: await this.#session.link(unit, entry, runner),
        block: new Uint8Array(BLOCK_BYTES),
      });
      const block = await this.#session.call(unit.name, prepare, options);
      this.#session.noteReturned(unit.calls);
      return new DataView(block.buffer, block.byteOffset).getFloat64(0, true);
    } finally {
      this.#session.discard(unit);
    }
  }
}
