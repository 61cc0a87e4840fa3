import { AbortError } from '@farjit/protocol/errors';
import { unbounded } from '../core/aborting.js';
import { DeadlineExceededError } from '../core/errors.js';
import type { HeldBack } from '../executor-client/held-back.js';

/** When a caller gives a call up. */
export interface Patience {
  readonly deadlineMs?: number | undefined;
  readonly signal?: AbortSignal | undefined;
}

/**
 * The answer to a call, unless its caller's signal is aborted, or its deadline has passed, while the answer is held back. The
 * executor, which hears of both, ends the call's runner. That it has is behind the output that somebody is still dealing with,
 * for as long as they like, and is not waited for.
 * @throws {AbortError | DeadlineExceededError}
 */
export async function answerOrGivenUp<Answer>(
  answer: Promise<Answer>,
  name: string,
  { deadlineMs = Number.POSITIVE_INFINITY, signal }: Patience,
  heldBack: HeldBack,
): Promise<Answer> {
  const hasDeadline = deadlineMs !== Number.POSITIVE_INFINITY;
  if (!hasDeadline && !signal) return answer;
  if (signal) unbounded(signal);
  let forget = () => {};
  const givenUp = new Promise<never>((_, reject) => {
    let forgetHold = () => {};
    const giveUp = (error: () => Error) => {
      forgetHold();
      forgetHold = heldBack.onHeld(() => reject(error()));
    };
    const onAbort = () => giveUp(() => new AbortError(`${name} was interrupted`, signal?.reason));
    const onDeadline = () => giveUp(() => new DeadlineExceededError(name, deadlineMs));
    const timer = hasDeadline ? setTimeout(onDeadline, deadlineMs) : undefined;
    signal?.addEventListener('abort', onAbort, { once: true });
    forget = () => {
      clearTimeout(timer);
      signal?.removeEventListener('abort', onAbort);
      forgetHold();
    };
  });
  try {
    return await Promise.race([answer, givenUp]);
  } finally {
    forget();
  }
}
