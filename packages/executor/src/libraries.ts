import { RequestError } from '@farjit/protocol/errors';
import { RunnerLibrary } from './native/shared-layout.js';

/** Libraries of the runner's own, of which a program finds those that its session asks for. */
export const LIBRARY_NAMES: readonly string[] = Object.keys(RunnerLibrary);

/**
 * The libraries of these names, as a runner is told.
 * @throws {RequestError} INVALID_PARAMS for a name that no library has.
 */
export function libraryBits(names: readonly string[]): number {
  const known = new Map(Object.entries(RunnerLibrary));
  return names.reduce((bits, name) => {
    const bit = known.get(name);
    if (bit === undefined)
      throw new RequestError(
        'INVALID_PARAMS',
        `the runner has no library ${JSON.stringify(name)}: it has ${LIBRARY_NAMES.join(', ')}`,
      );
    return bits | bit;
  }, 0);
}
