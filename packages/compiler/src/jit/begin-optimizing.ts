import { compileTogether, functionUnitOf } from '../layers/function-unit.js';
import type { TierPolicy } from '../optimize/tiers.js';
import type { ExecutionSession } from '../session/execution-session.js';
import type { JITOptions } from './jit-types.js';
import { onMissingLLVM } from './missing-llvm.js';

/** Has a session's hot functions compiled again, and functions guessed that will be called, as its options say. */
export function beginOptimizing(
  { tierUp, guesses, events }: ExecutionSession,
  tiers: TierPolicy,
  { speculate = 'auto', speculateOrder, recordCalls, onEvent }: JITOptions,
): void {
  if (tiers.kind === 'tiered')
    tierUp.use({
      makeOptimized: (unit, onPlanned) => functionUnitOf(unit).layer.makeOptimized(unit, onPlanned),
    });
  if (!onEvent) {
    const warn = (words: string) => process.emitWarning(words, { code: 'LIBLLVM' });
    onMissingLLVM((listener, options) => events.subscribe(listener, options), warn);
  }
  guesses.speculate({ mode: speculate, profile: speculateOrder, recordsCalls: recordCalls }, compileTogether);
}
