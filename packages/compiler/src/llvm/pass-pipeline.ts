import type { CodeLevel } from './target.js';

/** Of what the pipelines depend on in a libLLVM. */
interface LLVMVersion {
  readonly majorVersion: number;
}

/**
 * The pass pipeline of a level.
 *
 * | level | passes | code generation |
 * | --- | --- | --- |
 * | first | level 1's | None |
 * | 0 | none | None |
 * | 1 | the tutorial's: mem2reg, instcombine, reassociate, gvn, simplifycfg | Default |
 * | 2 | LLVM's `default<O2>` | Default |
 * | 3 | LLVM's `default<O3>` | Aggressive |
 *
 * Code generation at None (FastISel) takes a quarter of the time and leaves a floating-point loop running 2.7 times as
 * long; the other three cost the same. The tutorial's passes make that loop 1.8 times as fast as none; `default<O2>`
 * takes seven times as long as they do and gains nothing more in scalar code. So first code goes through the tutorial's
 * passes: in modules of 64 small functions they cost 14 µs a function, and code generation takes 6 µs less after them.
 */
export function passPipeline(llvm: LLVMVersion, level: CodeLevel): string {
  switch (level) {
    case 0:
      return '';
    case 1:
    case 'first':
      return `function(mem2reg,${instCombine(llvm)},reassociate,gvn,simplifycfg)`;
    default:
      return `default<O${level}>`;
  }
}

/**
 * The pass pipeline of a level for a module that others have made. What it says is to be inlined always is inlined at every
 * level: C++'s library defines such functions in headers alone, and compilers leave them in modules as `available_externally`.
 * Coroutines become functions, which code generation alone cannot do. Functions that are to tell of their entries and exits
 * (`-finstrument-functions`) do it before anything is inlined.
 */
export function modulePipeline(
  llvm: LLVMVersion,
  level: CodeLevel,
  { hasCoroutines = false }: { hasCoroutines?: boolean } = {},
): string {
  const passes = passPipeline(llvm, level);
  const first = 'function(ee-instrument)';
  // The standard pipelines have all the rest.
  if (level === 2 || level === 3) return `${first},${passes}`;
  const always = hasCoroutines ? coroutinePasses(llvm) : ['always-inline'];
  return [first, ...always, passes].filter(Boolean).join(',');
}

/** In the order of LLVM's own pipeline for level 0. */
function coroutinePasses({ majorVersion }: LLVMVersion): string[] {
  const ofModules = (pass: string) => (majorVersion >= 15 ? pass : `function(${pass})`);
  return [ofModules('coro-early'), 'always-inline', 'cgscc(coro-split)', ofModules('coro-cleanup')];
}

/**
 * From 18 on, instcombine asked for by name aborts the process when its one iteration leaves something to combine, a
 * check for LLVM's own tests; the standard pipelines ask for it without.
 */
function instCombine(llvm: LLVMVersion): string {
  return llvm.majorVersion >= 18 ? 'instcombine<no-verify-fixpoint>' : 'instcombine';
}
