import { LibLLVMError } from '../llvm/errors.js';
import type { ListeningOptions } from '../observe/event-stream.js';
import type { SessionEvent, SessionListener } from '../observe/events.js';

/** Tells, once, that there is no libLLVM to compile hot functions with, which stay as they are. */
export function onMissingLLVM(
  subscribe: (listener: SessionListener, options: ListeningOptions) => () => void,
  tell: (words: string) => void,
): void {
  const warn = (event: SessionEvent) => {
    if (event.type !== 'tier-up-failed' || !(event.error instanceof LibLLVMError)) return;
    stop();
    tell(`hot functions are not optimised: ${event.error.message}`);
  };
  const stop = subscribe(warn, { types: ['tier-up-failed'] });
}
