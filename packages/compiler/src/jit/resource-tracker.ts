import type { ResourceTracker } from './jit-types.js';

/** Makes a tracker of what it has to do. `names` may be asked for again and again. */
export function resourceTracker({
  names,
  remove,
  checkRemovable = () => {},
}: {
  readonly names: () => readonly string[];
  readonly remove: () => void;
  readonly checkRemovable?: () => void;
}): ResourceTracker {
  return {
    get names() {
      return names();
    },
    remove,
    checkRemovable,
    [Symbol.asyncDispose]: async () => remove(),
  };
}
