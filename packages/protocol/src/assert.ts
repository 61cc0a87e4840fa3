/**
 * For what holds whatever anybody sends or asks: where it does not, the mistake is in this code. As Node's `assert`, which
 * takes a command longer to load than all that it asserts.
 * @throws {AssertionError} where `condition` is falsy.
 */
export function assert(condition: unknown, message: string): asserts condition {
  if (!condition) throw new AssertionError(message);
}

export class AssertionError extends Error {
  override readonly name = 'AssertionError';
}
