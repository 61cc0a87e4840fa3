import { checkCallOptions } from '../calls/call-arguments.js';
import { signatureOfType } from '../calls/call-wrapper.js';
import type { CallOptions } from '../calls/session-calls.js';
import { checkArgument, listOf, objectWith } from '../core/arguments.js';
import { calleesOf } from '../core/call-edges.js';
import { strongSymbols } from '../core/symbol-flags.js';
import type { JIT } from '../jit/jit.js';
import type { ResourceTracker } from '../jit/jit-types.js';
import type { FrontEnd } from '../layers/front-end.js';
import type { Definitions } from './definitions.js';
import type { Evaluator } from './evaluator.js';
import { MATHEMATICS } from './mathematics.js';
import type { ExpressionSink } from './ordered-expressions.js';

/** What a pool asks about a language, besides what its sessions ask themselves. */
export type PoolFrontEnd<Body extends object> = Pick<FrontEnd<Body>, 'nameOf' | 'typeOf' | 'callsOf'>;

/** The functions of a language in one session, as `Functions` has them. */
export interface SessionFunctions<Body extends object> {
  define(body: Body): ResourceTracker;
  evaluate(body: Body, options: CallOptions): Promise<number>;
}

/** What the functions of a language work with. */
export interface PoolFunctionsContext<Body extends object, Session extends JIT> {
  readonly definitions: Definitions<Session>;
  readonly evaluator: Evaluator<Session>;
  /** Those of a session. */
  inSession(session: Session): SessionFunctions<Body>;
  /** Whether a function of the process, one of mathematics excepted, leaves nothing behind there for others to find. */
  isStateless(name: string): boolean;
}

const functionBody = objectWith([], "an object: the function's body");
const functionBodies = listOf(functionBody, 'an array of functions');
const sinkOfResults = objectWith(['output', 'result'], 'an object with "output" and "result"');

/** The functions of one front end on all executors of a pool. */
export class PoolFunctions<Body extends object, Session extends JIT = JIT> {
  readonly #frontEnd: PoolFrontEnd<Body>;
  readonly #context: PoolFunctionsContext<Body, Session>;
  readonly #bodies = new Map<string, Body>();

  /** @internal */
  constructor(frontEnd: PoolFrontEnd<Body>, context: PoolFunctionsContext<Body, Session>) {
    this.#frontEnd = frontEnd;
    this.#context = context;
  }

  /**
   * Defines a function in all executors, now and later. See `Functions.define`.
   * @throws {LinkError} `duplicate-definition` when data has the name.
   */
  define(body: Body): ResourceTracker {
    checkArgument(functionBody, body, 'body');
    const { definitions, inSession } = this.#context;
    const name = this.#frontEnd.nameOf(body);
    const signature = signatureOfType(this.#frontEnd.typeOf(body));
    const tracker = definitions.add({
      name,
      symbols: strongSymbols([name]),
      replaces: `function ${name}`,
      signatures: new Map(signature ? [[name, signature]] : []),
      callees: calleesOf(this.#frontEnd.callsOf(body)),
      add: (session) => inSession(session).define(body),
      onRemove: () => {
        if (this.#bodies.get(name) === body) this.#bodies.delete(name);
      },
    });
    this.#bodies.set(name, body);
    return tracker;
  }

  /** Evaluates a function without parameters once, and forgets it. Never begun again when its executor is lost. */
  async evaluate(body: Body, options: CallOptions = {}): Promise<number> {
    checkArgument(functionBody, body, 'body');
    checkCallOptions(options);
    const { evaluator, inSession } = this.#context;
    return evaluator.atHome((session) => inSession(session).evaluate(body, options), options);
  }

  /**
   * Evaluates functions without parameters as a program's expressions that stand one after the other: side by side in several
   * executors, while what they print and their values are delivered in their order. Those that reach functions of the
   * process which may leave something behind there (`rand`, say) run in one executor, in order. What an executor was
   * evaluating when it was lost fails.
   */
  async evaluateInOrder(
    bodies: readonly Body[],
    sink: ExpressionSink,
    options: CallOptions = {},
  ): Promise<void> {
    checkArgument(functionBodies, bodies, 'bodies');
    checkArgument(sinkOfResults, sink, 'sink');
    checkCallOptions(options);
    const { evaluator, inSession } = this.#context;
    const expressions = bodies.map((body) => ({
      isStateful: this.#isStateful(body),
      evaluate: (session: Session, callOptions: CallOptions) =>
        inSession(session).evaluate(body, callOptions),
    }));
    return evaluator.inOrder(expressions, sink, options);
  }

  /**
   * Whether a function may leave something behind in its process for others to find: it reaches a function that is not of
   * this language, and not known to be harmless.
   */
  #isStateful(body: Body): boolean {
    const { definitions, isStateless } = this.#context;
    const seen = new Set<string>();
    const queue = [body];
    for (let next = queue.pop(); next; next = queue.pop())
      for (const callee of calleesOf(this.#frontEnd.callsOf(next))) {
        if (seen.has(callee)) continue;
        seen.add(callee);
        const known = this.#bodies.get(callee);
        if (known) queue.push(known);
        else if (definitions.defines(callee) || !(MATHEMATICS.has(callee) || isStateless(callee)))
          return true;
      }
    return false;
  }
}
