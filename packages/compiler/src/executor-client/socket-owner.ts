import { lstatSync, realpathSync, type Stats } from 'node:fs';
import { dirname } from 'node:path';

const WRITABLE_BY_OTHERS = 0o022;
const STICKY = 0o1000;
const ROOT = 0;

/** Somebody else could listen at a socket's path. */
export class SocketOwnerError extends Error {}

/**
 * Sees that nobody but this user, root or `owner` can be the one who listens at a socket's path: the socket belongs to one of
 * them, and so does every folder above it, which others cannot write to, or, where it is sticky, cannot change what they do
 * not own. What holds for all of them cannot be changed by anybody else between this and connecting.
 * @param owner id of another user who is expected to listen.
 * @returns the path without links: what is connected to is what was looked at.
 * @throws {SocketOwnerError} that says who could be there.
 * @throws the system's error when there is nothing at the path.
 */
export function checkSocketOwner(path: string, owner?: number): string {
  const trusted = new Set([ROOT, process.geteuid?.() ?? ROOT, ...(owner === undefined ? [] : [owner])]);
  const real = realpathSync(path);
  const found = lstatSync(real);
  if (!found.isSocket()) throw new SocketOwnerError(`${path} is not a socket`);
  checkOwner(real, found, trusted);
  for (let folder = dirname(real); ; folder = dirname(folder)) {
    const stats = lstatSync(folder);
    checkOwner(folder, stats, trusted);
    if ((stats.mode & WRITABLE_BY_OTHERS) !== 0 && (stats.mode & STICKY) === 0)
      throw new SocketOwnerError(
        `others than its owner may write to ${folder}, and could listen there (chmod go-w takes that away)`,
      );
    if (folder === dirname(folder)) return real;
  }
}

function checkOwner(path: string, { uid }: Stats, trusted: ReadonlySet<number>): void {
  if (!trusted.has(uid))
    throw new SocketOwnerError(
      `${path} belongs to user ${uid}, who is neither this user nor root (--executor-owner ${uid} says that this is right)`,
    );
}
