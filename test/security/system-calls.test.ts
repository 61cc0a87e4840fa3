import test, { type ExecutionContext } from 'ava';
import { cannotRunAsUser, runScript } from './as-user.js';
import type { AttemptRow } from './attempts.js';

/** What must happen, or one of what; EPERM where it is not said. */
const OTHERWISE: Readonly<Record<string, string | readonly string[]>> = {
  // It hides its flags behind a pointer; glibc takes this for an old kernel and uses clone.
  clone3: 'ENOSYS',
  // No such thing, says the C library then, and refuses priority inheritance with an error of its own.
  'futex (FUTEX_LOCK_PI)': 'ENOSYS',
  'futex (FUTEX_UNLOCK_PI)': 'ENOSYS',
  'futex (FUTEX_TRYLOCK_PI)': 'ENOSYS',
  'futex (FUTEX_WAIT_REQUEUE_PI)': 'ENOSYS',
  'futex (FUTEX_CMP_REQUEUE_PI)': 'ENOSYS',
  'futex (FUTEX_LOCK_PI2)': 'ENOSYS',
  'sched_getaffinity (of process 1)': 'ENOSYS',
  // Kernels that have them let no filter see them, and refuse them themselves to who is no probe of theirs.
  uretprobe: ['EPERM', 'trap: SIGILL'],
  uprobe: ['EPERM', 'trap: SIGILL', 'ENXIO'],
  'int 0x80 (getpid)': 'killed: SIGSYS',
  'x32 (getpid)': 'killed: SIGSYS',
};
/** What works on every kernel when nobody forbids it, so that a refusal above means something. */
const ALLOWED_WHEN_OFF = [
  'fork',
  'vfork',
  'clone (SIGCHLD)',
  'open',
  'openat',
  'socket',
  'unshare (CLONE_FS)',
  'fcntl (F_DUPFD)',
  'fcntl (F_SETFL)',
  'memfd_create',
  'mmap (PROT_EXEC)',
  'mmap (MAP_SHARED)',
  'mmap (MAP_GROWSDOWN)',
  'mmap (MAP_POPULATE)',
  'mprotect (PROT_EXEC)',
  'madvise (MADV_WILLNEED)',
  'membarrier (MEMBARRIER_CMD_GLOBAL)',
  'prctl (PR_SET_DUMPABLE)',
  'sched_getaffinity (of process 1)',
  'clock_gettime (of process 1)',
];

async function attempts(sandbox: string, asUser: boolean): Promise<{ user: number; rows: AttemptRow[] }> {
  return JSON.parse(await runScript('attempts-process.js', [sandbox], asUser));
}

async function checkTable(t: ExecutionContext, asUser: boolean): Promise<void> {
  const { user, rows } = await attempts('default', asUser);
  const { rows: unconfined } = await attempts('off', asUser);
  const cells = rows.map(({ name, firstThread, ownThread }, i) => [
    name,
    firstThread,
    ownThread,
    unconfined[i]?.firstThread ?? '',
  ]);
  const header = ['tried from JIT’d code', 'first thread', 'its own thread', 'with --sandbox=off'];
  const widths = header.map((_, column) =>
    Math.max(...[header, ...cells].map((row) => row[column]?.length ?? 0)),
  );
  t.log(`as user ${user}`);
  for (const row of [header, ...cells])
    t.log(row.map((cell, column) => cell.padEnd(widths[column] ?? 0)).join('  '));

  for (const { name, firstThread, ownThread } of rows) {
    const expected = [OTHERWISE[name] ?? 'EPERM'].flat();
    t.true(
      expected.includes(firstThread) && firstThread === ownThread,
      `${name}: ${firstThread}, ${ownThread}`,
    );
  }
  for (const name of ALLOWED_WHEN_OFF) {
    const row = unconfined.find((candidate) => candidate.name === name);
    t.deepEqual([name, row?.firstThread, row?.ownThread], [name, 'done', 'done']);
  }
}

test('what must not be done is refused, from the first thread and from others', (t) => checkTable(t, false));

const reason = cannotRunAsUser();
(reason === undefined ? test : test.skip)(
  `the same as an ordinary user${reason === undefined ? '' : ` (skipped: ${reason})`}`,
  (t) => checkTable(t, true),
);
