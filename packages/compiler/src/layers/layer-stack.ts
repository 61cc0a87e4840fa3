import type { KeptObjects } from '../cache/kept-objects.js';
import type { SessionCache } from '../cache/session-cache.js';
import type { CodegenPool } from '../codegen/codegen-pool.js';
import type { ExecutorProcessControl } from '../executor-client/executor-process-control.js';
import type { OptLevel } from '../llvm/target.js';
import type { EventStream } from '../observe/event-stream.js';
import type { Tracing } from '../observe/spans.js';
import type { SpeculationMode } from '../optimize/speculation.js';
import { type BaselineMode, HOT_THRESHOLD, type TierPolicy } from '../optimize/tiers.js';
import { IRPipeline } from './ir-pipeline.js';
import { type IRTransform, IRTransformLayer } from './ir-transform-layer.js';
import type { FunctionLayerContext, Scope } from './recipe-compiler.js';

/** Where nobody chooses and nothing is counted: the tutorial's passes. */
const DEFAULT_LEVEL = 1;

/** The layers of one session, from bodies and modules to objects: function layers of any front end go on top. */
export interface LayerStack extends FunctionLayerContext {
  readonly pipeline: IRPipeline;
  readonly kept: KeptObjects | undefined;
  readonly tiers: TierPolicy;
  /** Which modules are compiled piece by piece. */
  readonly extraction: ExtractionMode;
  /** Whether more is compiled than is asked for. */
  readonly isGuessing: boolean;
}

/** Whether modules are compiled piece by piece: those that are large, all that can be, or none. */
export type ExtractionMode = 'auto' | 'on' | 'off';

/** What the layers work with. */
export interface LayerContext {
  readonly executor: Pick<ExecutorProcessControl, 'info' | 'has'>;
  readonly tracing: Tracing;
  readonly events: EventStream;
  readonly codegen: CodegenPool;
  readonly cache: SessionCache | undefined;
  readonly scope: Scope;
}

/** How code is made: `JITOptions` says what each of them means. */
export interface LayerOptions {
  readonly optLevel?: OptLevel;
  readonly hotThreshold?: number;
  readonly transforms?: readonly IRTransform[];
  readonly baseline?: BaselineMode;
  readonly extraction?: ExtractionMode;
  readonly speculate?: SpeculationMode;
}

/**
 * Whether front ends may make first code themselves: it is to be compiled again when it has become hot, and no transform is to
 * see it.
 */
export function allowsFirstCode({ optLevel, transforms = [], baseline = 'on' }: LayerOptions): boolean {
  return baseline === 'on' && optLevel === undefined && transforms.length === 0;
}

function extractionOf({
  transforms = [],
  optLevel = DEFAULT_LEVEL,
  extraction = 'auto',
}: LayerOptions): ExtractionMode {
  // A transform sees whole modules.
  if (transforms.length > 0) return 'off';
  // The passes of these inline functions of all the module.
  return extraction === 'auto' && optLevel > 1 ? 'off' : extraction;
}

/** Stacks them: IR transform, IR compile, each handing modules to the next; the session links the objects. */
export function stackLayers(context: LayerContext, options: LayerOptions): LayerStack {
  const { executor, tracing, events, codegen, cache, scope } = context;
  const { optLevel, hotThreshold = HOT_THRESHOLD, transforms = [] } = options;
  const { triple, cpuName, cpuFeatures } = executor.info;
  const target = { triple, cpuName, cpuFeatures };
  const transformLayer = new IRTransformLayer(
    codegen,
    transforms,
    (name) => scope.definitionOf(name) !== undefined,
  );
  const pipeline = new IRPipeline(transformLayer, target, optLevel ?? DEFAULT_LEVEL, { tracing, events });
  const kept = cache?.objectsFor(pipeline.target);
  const tiers: TierPolicy =
    optLevel === undefined && executor.has('hot-counters')
      ? { kind: 'tiered', hotThreshold }
      : { kind: 'pinned', optLevel: optLevel ?? DEFAULT_LEVEL };
  const usesFirstCode = tiers.kind === 'tiered' && allowsFirstCode(options);
  const extraction = extractionOf(options);
  return { pipeline, scope, tiers, kept, usesFirstCode, extraction, isGuessing: options.speculate !== 'off' };
}
