import type { ExecutorAddr } from '@farjit/protocol/executor-addr';
import type { JITDylib } from '../core/jit-dylib.js';
import type { MaterializationUnit, ObjectPart } from '../core/materialization-unit.js';
import type { LinkGraph } from '../jitlink/link-graph.js';
import type { ObjectLinkingPlugin } from '../layers/object-linking-plugin.js';
import type { RunnerContext } from '../runner/runner-context.js';

/** What compilers give `__cxa_atexit`, for `__cxa_finalize` to know what belongs together: each dylib has its own. */
export const DSO_HANDLE = '__dso_handle';

const HANDLE_BYTES = 8;
const NO_NAMES: readonly string[] = [];
const NO_ADDRESSES: ReadonlyMap<string, ExecutorAddr> = new Map();

/** Gives each dylib a `__dso_handle`, which only its own code can name, unless it defines one. */
export class DSOHandles implements ObjectLinkingPlugin {
  readonly #dylibOf: (unit: MaterializationUnit) => JITDylib | undefined;
  /** Parts that refer to it. */
  readonly #users = new WeakSet<ObjectPart>();
  readonly #handles = new WeakMap<RunnerContext, Map<JITDylib, ExecutorAddr>>();

  /** @param dylibOf the dylib that a unit's names are defined in. */
  constructor(dylibOf: (unit: MaterializationUnit) => JITDylib | undefined) {
    this.#dylibOf = dylibOf;
  }

  /** A dylib's handle in a runner, if something there has asked for it. */
  handleOf(dylib: JITDylib, runner: RunnerContext): ExecutorAddr | undefined {
    return this.#handles.get(runner)?.get(dylib);
  }

  prePrune(graph: LinkGraph, part: ObjectPart): void {
    const isAsked = graph.symbols.some(({ name, kind }) => name === DSO_HANDLE && kind === 'external');
    if (isAsked && !this.#dylibOf(part.unit)?.find(DSO_HANDLE)) this.#users.add(part);
    else this.#users.delete(part);
  }

  ownNames(part: ObjectPart): readonly string[] {
    return this.#users.has(part) ? [DSO_HANDLE] : NO_NAMES;
  }

  resolve(part: ObjectPart, runner: RunnerContext): ReadonlyMap<string, ExecutorAddr> {
    const dylib = this.#users.has(part) ? this.#dylibOf(part.unit) : undefined;
    if (!dylib) return NO_ADDRESSES;
    const handles = this.#handles.get(runner) ?? new Map<JITDylib, ExecutorAddr>();
    // Nobody reads what is there: its address is what counts.
    const handle = handles.get(dylib) ?? runner.allocate('data', HANDLE_BYTES, HANDLE_BYTES).address;
    this.#handles.set(runner, handles.set(dylib, handle));
    return new Map([[DSO_HANDLE, handle]]);
  }
}
