import type { CallOptions } from '../calls/session-calls.js';
import { InitializersDueError } from '../core/errors.js';
import type { JIT } from '../jit/jit.js';

/** How often work is begun while its runner is lost between its initialisers and itself. */
const MAX_ATTEMPTS = 3;
/** How long finalisers may take when a session is to end. */
const FINALIZE_MS = 10_000;

/**
 * Does work in a session when all initialisers have run in the runner of now: before the first work there, after something
 * that has some was added, and again in each new runner.
 * @throws {InitializationError}, and what `work` throws.
 */
export async function afterInitializers<Session extends JIT, T>(
  session: Session,
  work: (session: Session) => Promise<T>,
  options: CallOptions,
): Promise<T> {
  for (let attempt = 1; ; attempt++) {
    await session.initialize(options);
    try {
      return await work(session);
    } catch (error) {
      // Another runner has come between. Nothing of the work has been done then.
      if (attempt === MAX_ATTEMPTS || !(error instanceof InitializersDueError)) throw error;
    }
  }
}

/**
 * Runs the finalisers of a session that is about to be closed.
 * @param awayMs how long it may be without a connection before that is given up.
 * @throws {InitializationError} when one does not return.
 */
export async function finalize(session: JIT, awayMs: number): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  let unsubscribe = () => {};
  const away = new Promise<void>((resolve) => {
    unsubscribe = session.subscribe(({ type }) => {
      if (type === 'connection-lost') timer ??= setTimeout(resolve, awayMs);
      else if (type === 'resume-failed') resolve();
      else if (type === 'connection-resumed') {
        clearTimeout(timer);
        timer = undefined;
      }
    });
  });
  try {
    await Promise.race([session.deinitialize({ deadlineMs: FINALIZE_MS }), away]);
  } finally {
    clearTimeout(timer);
    unsubscribe();
  }
}
