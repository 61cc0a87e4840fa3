/**
 * HTTP headers of the WebSocket upgrade that sessions are resumed with, beyond the life of one connection.
 *
 * Each answer to an upgrade names the session and a secret. A client that has lost its connection sends both with its next
 * upgrade, and how many frames it has received; the answer says how many the executor has received, and carries the
 * next secret. A secret can be used until the answer to its use has arrived, which the first frame shows: an answer can
 * get lost too. Proxies that have several executors behind them can tell by the session which one to go to.
 */
export const RESUMPTION_HEADERS = {
  /** The session's id. */
  session: 'farjit-session',
  /** The secret that is good for resuming it once. */
  secret: 'farjit-resume',
  /** Frames that the sender of the header has received so far. */
  received: 'farjit-received',
} as const;

/** Reads a `received` header; undefined when it is none. */
export function parseReceivedCount(header: string | string[] | undefined): number | undefined {
  if (typeof header !== 'string' || !/^\d{1,16}$/.test(header)) return undefined;
  const count = Number(header);
  return Number.isSafeInteger(count) ? count : undefined;
}
