/** What the signals of a process ask of a server. */
export interface StopSignals {
  /** Resolves with the first: SIGTERM, which asks it to drain, or SIGINT, which does not wait. */
  readonly first: Promise<'SIGTERM' | 'SIGINT'>;
  /** Aborted by a second one, or by SIGINT: it is to end at once. */
  readonly hurry: AbortSignal;
}

/** Listens from now on. */
export function listenToStopSignals(): StopSignals {
  const hurry = new AbortController();
  const first = new Promise<'SIGTERM' | 'SIGINT'>((resolve) => {
    let count = 0;
    const onSignal = (name: 'SIGTERM' | 'SIGINT') => {
      count++;
      if (name === 'SIGINT' || count > 1) hurry.abort();
      resolve(name);
    };
    process.on('SIGTERM', () => onSignal('SIGTERM'));
    process.on('SIGINT', () => onSignal('SIGINT'));
  });
  return { first, hurry: hurry.signal };
}
