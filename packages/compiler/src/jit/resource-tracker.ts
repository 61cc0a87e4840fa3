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

/** Makes what each adds, or nothing when one of them throws: one tracker of all. */
export function trackerOfAll(adders: readonly (() => ResourceTracker)[]): ResourceTracker {
  const trackers: ResourceTracker[] = [];
  const remove = () => {
    for (const tracker of trackers.splice(0)) tracker.remove();
  };
  try {
    for (const add of adders) trackers.push(add());
  } catch (error) {
    remove();
    throw error;
  }
  const names = trackers.flatMap((tracker) => tracker.names);
  const checkRemovable = () => {
    for (const tracker of trackers) tracker.checkRemovable();
  };
  return resourceTracker({ names: () => names, remove, checkRemovable });
}
