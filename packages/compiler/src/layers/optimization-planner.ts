import { assert } from '@farjit/protocol/assert';
import { calleesOf } from '../core/call-edges.js';
import type { CodeLevel } from '../llvm/target.js';
import { MAX_AVAILABLE_FUNCTIONS, MAX_AVAILABLE_NODES, type OptimizationPlan } from '../optimize/tiers.js';
import type { FunctionCompiler } from './function-compiler.js';
import type { BodyRequest } from './function-module.js';
import { codegenOf } from './recipe-compiler.js';

/** Decides which bodies are at hand when a function is optimised, for LLVM to inline. */
export class OptimizationPlanner<Body extends object> {
  readonly #compiler: FunctionCompiler<Body>;

  constructor(compiler: FunctionCompiler<Body>) {
    this.#compiler = compiler;
  }

  /**
   * What optimising a function would take: the bodies within its reach, breadth first, for as long as there is room.
   * @throws what `FrontEnd.check` throws of the function itself.
   */
  planFor(own: Body, level: CodeLevel): OptimizationPlan {
    const { frontEnd } = this.#compiler;
    const name = frontEnd.nameOf(own);
    frontEnd.check(own);
    const available: string[] = [];
    const dependencies = new Set<string>();
    const seen = new Set([name]);
    const queue = [own];
    let room = MAX_AVAILABLE_NODES;
    for (let body = queue.shift(); body; body = queue.shift()) {
      for (const callee of calleesOf(frontEnd.callsOf(body))) {
        dependencies.add(callee);
        if (seen.has(callee) || available.length === MAX_AVAILABLE_FUNCTIONS) continue;
        seen.add(callee);
        const inlined = this.#bodyOf(callee);
        const size = inlined ? frontEnd.sizeOf(inlined) : 0;
        if (!inlined || size > room) continue;
        room -= size;
        available.push(callee);
        queue.push(inlined);
      }
    }
    // A redefinition of the function itself gives up its unit, and this object with it.
    dependencies.delete(name);
    return { name, level, available, dependencies: [...dependencies] };
  }

  /** The bodies that a plan has found, while nothing has changed since. */
  bodiesIn(plan: OptimizationPlan): Body[] {
    return plan.available.map((name) => {
      const body = this.#bodyOf(name);
      assert(body, `${name} has changed since ${plan.name} was planned`);
      return body;
    });
  }

  /** The key of what is made by a plan, and `how`. */
  keyOf(body: Body, plan: OptimizationPlan, how: string): Uint8Array | undefined {
    const codegen = `${codegenOf(plan.level)} ${how} ${JSON.stringify([plan.available, plan.dependencies])}`;
    return this.#compiler.keyOf(body, 'function', plan.dependencies, codegen, this.bodiesIn(plan));
  }

  /** A body that may be inlined; what calls it otherwise goes through its stub. */
  toBeInlined(body: Body): BodyRequest<Body> {
    const name = this.#compiler.frontEnd.nameOf(body);
    return { function: body, implementationName: name, isAvailableExternally: true };
  }

  /** The body that a name means now, if it is a function's that the front end accepts. */
  #bodyOf(name: string): Body | undefined {
    const unit = this.#compiler.scope.definitionOf(name);
    // A reexport's body has another name.
    return unit?.name === name ? this.#compiler.soundBodyOf(unit) : undefined;
  }
}
