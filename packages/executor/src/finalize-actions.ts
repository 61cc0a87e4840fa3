import type { FinalizeAction } from '@farjit/protocol';

/** The finalize actions of a commit by what they do, in the order in which they are done. */
export interface FinalizeActions {
  readonly deregisterEHFrames: readonly FinalizeAction[];
  readonly registerEHFrames: readonly FinalizeAction[];
  readonly invalidateInstructionCache: readonly FinalizeAction[];
}

/** Sorts the actions of a commit. */
export function sortActions(actions: readonly FinalizeAction[]): FinalizeActions {
  const those = (kind: FinalizeAction['action']) => actions.filter(({ action }) => action === kind);
  return {
    deregisterEHFrames: those('deregisterEHFrames'),
    registerEHFrames: those('registerEHFrames'),
    invalidateInstructionCache: those('invalidateInstructionCache'),
  };
}
