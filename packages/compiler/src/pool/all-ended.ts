/** Waits for all, also when one fails. @throws what the first of those that fail throws. */
export async function allEnded(works: readonly Promise<unknown>[]): Promise<void> {
  for (const result of await Promise.allSettled(works)) if (result.status === 'rejected') throw result.reason;
}
