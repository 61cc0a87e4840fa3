import { LibLLVMError } from '../llvm/errors.js';
import type { SessionListener } from '../observe/events.js';

/** Tells, once, that there is no libLLVM to compile hot functions with, which stay as they are. */
export function onMissingLLVM(
  subscribe: (listener: SessionListener) => () => void,
  tell: (words: string) => void,
): void {
  const stop = subscribe((event) => {
    if (event.type !== 'tier-up-failed' || !(event.error instanceof LibLLVMError)) return;
    stop();
    tell(`hot functions are not optimised: ${event.error.message}`);
  });
}
