import assert from 'node:assert';
import type { FunctionAST } from '../kaleidoscope/ast.js';
import { callees, nodeCount } from '../kaleidoscope/call-graph.js';
import { checkCalls } from '../kaleidoscope/check-calls.js';
import type { IRGenRequest } from '../kaleidoscope/irgen.js';
import type { CodeLevel } from '../llvm/target.js';
import { type ASTCompiler, codegenOf } from './ast-compiler.js';
import { functionOf } from './function-unit.js';
import { MAX_AVAILABLE_FUNCTIONS, MAX_AVAILABLE_NODES, type OptimizationPlan } from './tiers.js';

/** Decides which bodies are at hand when a function is optimised, for LLVM to inline. */
export class OptimizationPlanner {
  readonly #compiler: ASTCompiler;

  constructor(compiler: ASTCompiler) {
    this.#compiler = compiler;
  }

  /**
   * What optimising a function would take: the bodies within its reach, breadth first, for as long as there is room.
   * @throws Diagnostic when its own calls are wrong.
   */
  planFor(own: FunctionAST, level: CodeLevel): OptimizationPlan {
    const { name } = own.prototype;
    checkCalls(own, (called) => this.#compiler.scope.prototypeOf(called));
    const available: string[] = [];
    const dependencies = new Set<string>();
    const seen = new Set([name]);
    const queue = [own];
    let room = MAX_AVAILABLE_NODES;
    for (let fn = queue.shift(); fn; fn = queue.shift()) {
      for (const callee of callees(fn)) {
        dependencies.add(callee);
        if (seen.has(callee) || available.length === MAX_AVAILABLE_FUNCTIONS) continue;
        seen.add(callee);
        const body = this.#bodyOf(callee);
        const size = body ? nodeCount(body) : 0;
        if (!body || size > room) continue;
        room -= size;
        available.push(callee);
        queue.push(body);
      }
    }
    // A redefinition of the function itself gives up its unit, and this object with it.
    dependencies.delete(name);
    return { name, level, available, dependencies: [...dependencies] };
  }

  /** The bodies that a plan has found, while nothing has changed since. */
  bodiesIn(plan: OptimizationPlan): FunctionAST[] {
    return plan.available.map((name) => {
      const body = this.#bodyOf(name);
      assert(body, `${name} has changed since ${plan.name} was planned`);
      return body;
    });
  }

  /** The key of what is made by a plan, and `how`. */
  keyOf(fn: FunctionAST, plan: OptimizationPlan, how: string): Uint8Array | undefined {
    const codegen = `${codegenOf(plan.level)} ${how} ${JSON.stringify([plan.available, plan.dependencies])}`;
    return this.#compiler.keyOf(fn, 'function', plan.dependencies, codegen, this.bodiesIn(plan));
  }

  /** The body that a name means now, if it is a function's that IRGen accepts. */
  #bodyOf(name: string): FunctionAST | undefined {
    const unit = this.#compiler.scope.definitionOf(name);
    const fn = unit && this.#compiler.canGenerate(unit) ? functionOf(unit) : undefined;
    // A reexport's body has another name.
    return fn?.prototype.name === name ? fn : undefined;
  }
}

/** A body that may be inlined; what calls it otherwise goes through its stub. */
export function toBeInlined(body: FunctionAST): IRGenRequest {
  return { function: body, implementationName: body.prototype.name, isAvailableExternally: true };
}
