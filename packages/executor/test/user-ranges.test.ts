import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test, { type ExecutionContext } from 'ava';
import { UserPool } from '../src/user-pool.js';
import { RANGE_USERS, UserRanges, type UserRangesOptions } from '../src/user-ranges.js';

const FIRST = 1_000_000;

/** Three ranges, locks in a directory of the test's own, and files with these lines. */
function options(t: ExecutionContext, lines: { subordinate?: string; accounts?: string; map?: string } = {}) {
  const directory = mkdtempSync(join(tmpdir(), 'farjit-users-'));
  t.teardown(() => rmSync(directory, { recursive: true }));
  const file = (name: string, text: string) => {
    writeFileSync(join(directory, name), text);
    return [join(directory, name)];
  };
  return {
    region: { first: FIRST, count: 3 * RANGE_USERS },
    lockDirectory: join(directory, 'locks'),
    mapFiles: file('map', lines.map ?? '         0          0 4294967295\n'),
    subordinateFiles: file('subordinate', lines.subordinate ?? ''),
    accountFiles: [...file('accounts', lines.accounts ?? ''), join(directory, 'absent')],
  } satisfies UserRangesOptions;
}

function rangesOf(t: ExecutionContext, from: UserRangesOptions): UserRanges {
  const ranges = new UserRanges(from);
  t.teardown(() => ranges.close());
  return ranges;
}

test('no two hosts have one range, until one of them ends', (t) => {
  const from = options(t);
  const [a, b] = [rangesOf(t, from), rangesOf(t, from)];
  const taken = [a.take(), b.take(), a.take()];
  t.deepEqual(
    taken.map(({ first }) => first).sort(),
    [0, 1, 2].map((index) => FIRST + index * RANGE_USERS),
  );
  t.true(taken.every(({ count }) => count === RANGE_USERS));
  for (const ranges of [a, b])
    t.throws(() => ranges.take(), { message: 'all users from 1000000 on are taken' });
  b.close();
  t.like(a.take(), { first: taken[1]?.first });
});

test('the ranges of a host that was killed are free', async (t) => {
  const from = options(t);
  const script = `
    import { UserRanges } from ${JSON.stringify(new URL('../src/user-ranges.js', import.meta.url).href)};
    const ranges = new UserRanges(JSON.parse(process.argv[1]));
    for (let i = 0; i < 3; i++) ranges.take();
    console.log();
    setInterval(() => {}, 1e6);`;
  const args = ['--input-type=module', '-e', script, JSON.stringify(from)];
  const host = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'inherit'] });
  t.teardown(() => host.kill('SIGKILL'));
  await once(host.stdout, 'data');
  const ranges = rangesOf(t, from);
  t.throws(() => ranges.take(), { message: /are taken$/ });
  host.kill('SIGKILL');
  await once(host, 'exit');
  t.notThrows(() => ranges.take());
});

for (const [whose, lines] of [
  ['subordinate users', { subordinate: `# a comment\nalice:${FIRST + 1023}:1026\n` }],
  [
    'accounts',
    { accounts: `root:x:0:0::/:\nalice:x:${FIRST + 1023}:1:::\nbob:x:${FIRST + 2048}:1:::\nodd:x::\n` },
  ],
] as const)
  test(`a range that has numbers of ${whose} is not taken`, (t) => {
    const ranges = rangesOf(t, options(t, { ...lines }));
    if (whose === 'accounts') t.is(ranges.take().first, FIRST + RANGE_USERS);
    t.throws(() => ranges.take(), { message: /are taken$/ });
  });

test('numbers beside a range do not keep it from being taken', (t) => {
  const ranges = rangesOf(t, options(t, { subordinate: `a:${FIRST - 10}:10\nb:${FIRST + 3072}:10\n` }));
  for (let i = 0; i < 3; i++) t.notThrows(() => ranges.take());
});

test('where the user namespace does not know all of them, none is taken', (t) => {
  for (const map of [`0 100000 65536\n`, `0 0 ${FIRST + 3 * RANGE_USERS - 1}\n`, `${FIRST + 1} 0 100000\n`])
    t.throws(() => rangesOf(t, options(t, { map })).take(), {
      message: /does not have the users from 1000000 on$/,
    });
  const known = options(t, { map: `0 0 1000\n${FIRST} ${FIRST} ${3 * RANGE_USERS}\n` });
  t.notThrows(() => rangesOf(t, known).take());
});

test('locks are kept only where nobody else can write', (t) => {
  const from = options(t);
  const { lockDirectory } = from;
  const refused = () =>
    t.throws(() => rangesOf(t, from).take(), {
      message: `${lockDirectory} is not a directory of this user's that nobody else may write`,
    });
  mkdirSync(lockDirectory);
  for (const mode of [0o777, 0o770, 0o702]) {
    chmodSync(lockDirectory, mode);
    refused();
  }
  rmSync(lockDirectory, { recursive: true });
  writeFileSync(lockDirectory, '');
  refused();
  rmSync(lockDirectory);
  symlinkSync('/', lockDirectory);
  refused();
  rmSync(lockDirectory);
  mkdirSync(lockDirectory, { mode: 0o700 });
  symlinkSync('/etc/passwd', join(lockDirectory, 'users'));
  t.throws(() => rangesOf(t, from).take(), { code: 'ELOOP' });
});

test('a pool gives each user to one runner at a time, and the one that has been free for longest', (t) => {
  const pool = new UserPool(rangesOf(t, options(t)));
  const users = Array.from({ length: 3 * RANGE_USERS }, () => pool.take());
  t.is(new Set(users).size, 3 * RANGE_USERS);
  t.true(users.every((user) => user >= FIRST && user < FIRST + 3 * RANGE_USERS));
  t.is(pool.missing, '');
  t.is(pool.take(), 0);
  t.is(pool.missing, 'own user (all users from 1000000 on are taken)');
  const [first = 0, second = 0] = users;
  for (const user of [second, first, second, 0]) pool.giveBack(user);
  t.deepEqual([pool.take(), pool.take(), pool.take()], [second, first, 0]);
  pool.close();
});

test('a pool where users cannot be given gives none', (t) => {
  const pool = new UserPool(undefined);
  t.is(pool.take(), 0);
  t.is(pool.missing, '');
  pool.giveBack(0);
  pool.close();
});
