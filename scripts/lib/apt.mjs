import { statSync } from 'node:fs';
import { ask, onPath, run } from './processes.mjs';
import { ScriptError, say, step } from './report.mjs';

/** Age of package lists up to which something optional is not worth fetching them anew. */
const RECENT_MS = 24 * 60 * 60 * 1000;

/** The words in front of `apt-get`: none as root, `sudo -n` where that works; undefined without a usable apt. */
export function aptPrefix() {
  if (!onPath('apt-get')) return undefined;
  if (process.getuid?.() === 0) return [];
  return ask('sudo', ['-n', 'true']) === undefined ? undefined : ['sudo', '-n'];
}

function apt(prefix, args, progress) {
  const [command, ...rest] = [...prefix, 'env', 'DEBIAN_FRONTEND=noninteractive', 'apt-get', ...args];
  return run(command, rest, { onLine: (line) => progress(line.slice(0, 100)) });
}

/** Fetches the package lists; a failure is told and not thrown. */
export async function updateLists(prefix) {
  try {
    await step('apt: updating package lists', (progress) => apt(prefix, ['update'], progress));
  } catch (error) {
    // One unreachable source of many is no reason to stop: what matters is whether the packages are there.
    if (!(error instanceof ScriptError)) throw error;
    say(`apt-get update failed; going on with the package lists as they are (${error.message})`);
  }
}

/** Whether the package lists were fetched so lately that they need not be again for something optional. */
export function listsAreRecent() {
  const updated = statSync('/var/lib/apt/lists/partial', { throwIfNoEntry: false });
  return updated !== undefined && Date.now() - updated.mtimeMs < RECENT_MS;
}

/** @throws {ScriptError} when apt fails. */
export function aptInstall(prefix, packages) {
  const options = ['-y', '--no-install-recommends', '-o', 'DPkg::Lock::Timeout=300'];
  return step(`apt: installing ${packages.join(' ')}`, (progress) =>
    apt(prefix, ['install', ...options, ...packages], progress),
  );
}

/** Whether apt could install the package. */
export function hasCandidate(aptPackage) {
  const policy = ask('apt-cache', ['policy', aptPackage], { ...process.env, LC_ALL: 'C' }) ?? '';
  return /^ +Candidate: (?!\(none\))/m.test(policy);
}
