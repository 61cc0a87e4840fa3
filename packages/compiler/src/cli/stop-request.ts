import { constants } from 'node:os';
import { systemErrorWords } from '../files/system-error.js';

/** Signals that ask a command to end. */
const ENDING_SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;
export type EndingSignal = (typeof ENDING_SIGNALS)[number];

/** How long what is under way may take to end when a command is asked to. */
const END_GRACE_MS = 2000;

/** Why a command ends before its work is done: the reason its `AbortSignal` is aborted with. */
export class StopRequest {
  readonly exitCode: number;
  /** What to tell the user; undefined when there is nothing to tell, or nobody to tell it to. */
  readonly words: string | undefined;

  constructor(exitCode: number, words?: string) {
    this.exitCode = exitCode;
    this.words = words;
  }

  get isBySignal(): boolean {
    return this.exitCode > 128;
  }

  /** Exits with 128 + the signal's number, as a shell reports a program that the signal ended. */
  static ofSignal(signal: EndingSignal): StopRequest {
    const words = signal === 'SIGINT' ? 'interrupted' : `ended by ${signal}`;
    return new StopRequest(128 + constants.signals[signal], words);
  }

  /** A reader that went away, as `head` does, is no error to speak of; a full disk is. */
  static ofOutputFailure(error: NodeJS.ErrnoException): StopRequest {
    if (error.code === 'EPIPE') return new StopRequest(128 + constants.signals.SIGPIPE);
    return new StopRequest(1, `cannot write to standard output: ${systemErrorWords(error)}`);
  }
}

/**
 * Tells of the signals that ask the process to end.
 * @param handler returns true to be told of the next signal too; otherwise the next one ends the process at once,
 * which helps when closing hangs.
 * @returns a function that restores the signals' default action.
 */
export function onEndingSignal(handler: (signal: EndingSignal) => boolean): () => void {
  const stop = () => {
    for (const signal of ENDING_SIGNALS) process.off(signal, listener);
  };
  const listener = (signal: NodeJS.Signals) => {
    if (!handler(signal as EndingSignal)) stop();
  };
  for (const signal of ENDING_SIGNALS) process.on(signal, listener);
  return stop;
}

/**
 * Closes what a command works with when that does not end in time after the command was asked to: an executor that is out of
 * reach does not hear it.
 * @returns a function to call when the work has ended.
 */
export function closeIfUnheard(signal: AbortSignal, close: () => Promise<void>): () => void {
  let timer: NodeJS.Timeout | undefined;
  const onAbort = () => {
    timer = setTimeout(() => void close().catch(() => {}), END_GRACE_MS);
  };
  if (signal.aborted) onAbort();
  else signal.addEventListener('abort', onAbort, { once: true });
  return () => {
    signal.removeEventListener('abort', onAbort);
    clearTimeout(timer);
  };
}
