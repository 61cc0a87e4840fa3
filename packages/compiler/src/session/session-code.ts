import { Assumptions } from '../core/assumptions.js';
import type { CompileReport, MaterializationUnit } from '../core/materialization-unit.js';
import { Materializations } from '../core/materializations.js';
import type { ExecutorProcessControl } from '../executor-client/executor-process-control.js';
import { IndirectStubsManager } from '../indirection/indirect-stubs-manager.js';
import { LinkerSets } from '../layers/linker-sets.js';
import { ObjectLinkingLayer } from '../layers/object-linking-layer.js';
import type { ObjectLinkingPlugin } from '../layers/object-linking-plugin.js';
import { BacktraceNames } from '../layers/plugins/backtrace-names.js';
import { EntryCounters } from '../layers/plugins/entry-counters.js';
import { guardedPlugin } from '../layers/plugins/guarded-plugin.js';
import { StubRedirection } from '../layers/plugins/stub-redirection.js';
import { EventStream } from '../observe/event-stream.js';
import { functionsIn } from '../observe/events.js';
import type { Tracing } from '../observe/spans.js';
import { TierUp } from '../optimize/tier-up.js';
import { DSOHandles } from '../platform/dso-handles.js';
import { EHFrames } from '../platform/eh-frames.js';
import { Initializers } from '../platform/initializers.js';
import type { CommitSender } from '../runner/commit-sender.js';
import type { RunnerContext } from '../runner/runner-context.js';
import { CompileAction } from './compile-action.js';
import { Definitions, type Redefines } from './definitions.js';
import { Guesses } from './guesses.js';
import { HostCalls } from './host-calls.js';
import { OptimizedCode } from './optimized-code.js';
import { ResourceManager } from './resource-manager.js';
import { SymbolResolver } from './symbol-resolver.js';

/** What what is defined in a session works with. */
export interface SessionCodeContext {
  readonly tracing: Tracing;
  readonly mayReplace: Redefines;
  /** Of the object linking layer: they come before the session's own. */
  readonly plugins: readonly ObjectLinkingPlugin[];
  /** The current runner, lost or not. */
  runner(): RunnerContext;
  commits(): CommitSender;
  executor(): ExecutorProcessControl;
  /** Whether threads wait for code that they need now. */
  hasCallbacks(): boolean;
  /** What fails from then on does so because it was cut short. */
  isClosed(): boolean;
}

/** What is defined, compiled and linked in a session, whichever runner it has: the parts, and who tells whom. */
export class SessionCode {
  readonly #context: SessionCodeContext;
  readonly events = new EventStream();
  /** Who relied on what a name means. */
  readonly assumptions = new Assumptions();
  /** The dylibs, and what follows from a change of what names mean. */
  readonly definitions: Definitions = new Definitions({
    assumptions: this.assumptions,
    events: this.events,
    resources: () => this.resources,
    materializations: () => this.materializations,
    runner: () => this.#context.runner(),
    mayReplace: (unit) => this.#context.mayReplace(unit),
    changed: () => this.#context.commits().flushIfCallsAreRunning(),
  });
  /** The one that everything is defined in unless another is named. */
  readonly mainDylib = this.definitions.createDylib('main');
  readonly stubs = new IndirectStubsManager();
  /** Better code of functions that have become hot. */
  readonly #optimized: OptimizedCode = new OptimizedCode({
    stubs: this.stubs,
    materializations: () => this.materializations,
    linking: () => this.#linking,
    resources: () => this.resources,
    commits: () => this.#context.commits(),
    runner: () => this.#context.runner(),
    dylibOf: (unit) => this.definitions.dylibOf(unit),
  });
  /** What has become of units. */
  readonly materializations = new Materializations({
    materializing: (unit) => this.definitions.noteMaterializing(unit, this.mainDylib),
    compiled: (unit, report) => this.#noteCompiled(unit, report),
    discarded: (unit) => this.#optimized.forget(unit),
    standInOf: (unit) => this.#optimized.partOf(unit),
  });
  /** Where counted functions count. */
  readonly counters = new EntryCounters();
  /** What is to be run of units at the start and the end. */
  readonly initializers: Initializers = new Initializers((unit) => this.definitions.dylibOf(unit));
  readonly dsoHandles: DSOHandles = new DSOHandles((unit) => this.definitions.dylibOf(unit));
  readonly sets: LinkerSets = new LinkerSets({
    dylibOf: (unit) => this.definitions.dylibOf(unit),
    materializations: () => this.materializations,
  });
  /** Functions in JavaScript. */
  readonly hostCalls: HostCalls = new HostCalls({
    executor: () => this.#context.executor(),
    tracing: () => this.#context.tracing,
  });
  /** The caller's come before the session's own. */
  readonly #plugins: ObjectLinkingPlugin[] = [
    new StubRedirection(),
    this.initializers,
    this.dsoHandles,
    this.sets,
    this.counters,
    this.hostCalls,
    new BacktraceNames(),
    new EHFrames(),
  ];
  readonly #linking = new ObjectLinkingLayer({
    plugins: this.#plugins,
    sets: this.sets,
    stubs: this.stubs,
    mainDylib: this.mainDylib,
    events: this.events,
    materializations: this.materializations,
    dylibOf: (unit) => this.definitions.dylibOf(unit),
    tracing: () => this.#context.tracing,
  });
  /** Functions that have become hot, and what becomes of them. */
  readonly tierUp = new TierUp({
    events: this.events,
    assumptions: this.assumptions,
    hasCallbacks: () => this.#context.hasCallbacks(),
    install: (unit, part) => this.#optimized.install(unit, part),
    uninstall: (unit) => this.#optimized.uninstall(unit),
    tracing: () => this.#context.tracing,
  });
  readonly guesses: Guesses = new Guesses({
    dylib: this.mainDylib,
    materializations: this.materializations,
    stubs: this.stubs,
    linking: this.#linking,
    events: this.events,
    flush: () => this.#context.commits().flush(),
    makeRoom: (runner) => this.#context.commits().makeRoom(runner),
    tracing: () => this.#context.tracing,
    isClosed: () => this.#context.isClosed(),
  });
  /** What callbacks run. */
  readonly compileAction = new CompileAction({
    guesses: this.guesses,
    materializations: this.materializations,
    stubs: this.stubs,
    linking: this.#linking,
    makeRoom: (runner) => this.#context.commits().makeRoom(runner),
    checkReady: (unit, runner) => this.initializers.checkUnitReady(unit, runner),
    standInOf: (unit) => this.#optimized.partOf(unit),
    giveUpOptimized: (unit, error) => this.tierUp.noteFailed(unit, error),
    giveUpKept: (unit) => this.resources.forgetKept(unit),
  });
  readonly resolver = new SymbolResolver(this.mainDylib, this.stubs, this.compileAction, this.guesses);
  readonly resources: ResourceManager = new ResourceManager({
    assumptions: this.assumptions,
    materializations: this.materializations,
    dylibOf: (unit) => this.definitions.dylibOf(unit),
    stubs: this.stubs,
    linking: this.#linking,
    sets: this.sets,
    runner: () => this.#context.runner(),
    forgetting: (unit) => {
      this.tierUp.noteForgotten(unit);
      this.guesses.noteForgotten(unit);
    },
  });

  #noteCompiled(
    { name, source, interface: { functions } }: MaterializationUnit,
    report: CompileReport,
  ): void {
    const kind = report.functions ? ('piece' as const) : source.kind;
    const functionCount = functionsIn(source.kind, report.functions?.length ?? functions.size);
    this.events.statistics.addCompiled(kind, report, functionCount);
    this.events.tell('compiled', () => ({ unit: name, kind, functionCount, ...report }));
  }

  constructor(context: SessionCodeContext) {
    this.#context = context;
    this.#plugins.unshift(...context.plugins.map(guardedPlugin));
  }
}
