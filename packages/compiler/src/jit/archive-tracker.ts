import type { ArchiveMembers } from '../frontends/llvm/archive-members.js';
import type { ResourceTracker } from './jit-types.js';
import { resourceTracker } from './resource-tracker.js';

/**
 * Removes an archive with all members of it that have been added, or nothing.
 * @param supplying removes what asks it.
 */
export function archiveTracker(
  members: ArchiveMembers,
  supplying: Pick<ResourceTracker, 'remove'>,
): ResourceTracker {
  return resourceTracker({
    names: () => members.names,
    checkRemovable: () => members.checkRemovable(),
    remove: () => {
      members.checkRemovable();
      supplying.remove();
      members.remove();
    },
  });
}
