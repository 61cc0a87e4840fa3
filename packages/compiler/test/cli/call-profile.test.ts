import { mkdir, readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import test from 'ava';
import { CallProfileError, readCallProfile, writeCallProfile } from '../../src/cli/call-profile.js';
import { farjit, folderWith } from './run-farjit.js';

test('what is written is read, and replaces what was there', async (t) => {
  const folder = await folderWith(t, { profile: 'old' });
  const path = join(folder, 'profile');
  await writeCallProfile(path, ['f', 'binary|', 'g']);
  t.deepEqual(await readCallProfile(path), ['f', 'binary|', 'g']);
  t.deepEqual(await readdir(folder), ['profile']);
});

test('a byte order mark in front is none of the profile', async (t) => {
  const folder = await folderWith(t, {
    profile: '\ufeff{"format":"farjit-calls","version":1,"functions":["f"]}',
  });
  t.deepEqual(await readCallProfile(join(folder, 'profile')), ['f']);
});

const BAD: readonly [string, RegExp][] = [
  ['', /it is not JSON/],
  ['[1', /it is not JSON/],
  ['null', /it is not as expected/],
  ['{"format":"other","version":1,"functions":[]}', /format is not as expected/],
  ['{"format":"farjit-calls","version":2,"functions":[]}', /version is not as expected/],
  ['{"format":"farjit-calls","version":1,"functions":["f",3]}', /functions\.1 is not as expected/],
  ['{"format":"farjit-calls","version":1,"functions":[""]}', /functions\.0 is not as expected/],
  ['{"format":"farjit-calls","version":1}', /functions is not as expected/],
];

for (const [content, words] of BAD)
  test(`${content || 'nothing'} is no profile`, async (t) => {
    const folder = await folderWith(t, { profile: content });
    const error = await t.throwsAsync(readCallProfile(join(folder, 'profile')), {
      instanceOf: CallProfileError,
      message: words,
    });
    t.regex(error?.message ?? '', /--record-calls/);
  });

test('a profile that cannot be read or written is an error that names it', async (t) => {
  const folder = await folderWith(t, {});
  await mkdir(join(folder, 'taken'));
  await t.throwsAsync(readCallProfile(join(folder, 'none')), { message: /none.*no such file/i });
  await t.throwsAsync(writeCallProfile(join(folder, 'taken'), []), { message: /cannot write.*taken/ });
  await t.throwsAsync(writeCallProfile(join(folder, 'no', 'folder'), []), { message: /cannot write/ });
  t.deepEqual(await readdir(folder), ['taken']);
});

const PROGRAM = `def leaf(x) x;
  def never(x) leaf(x);
  def last(x) x + 1;
  def first(x) if x < 1 then never(x) else last(leaf(x));
  first(7);`;

/** Without the cache, which has objects that need no guessing. */
const RUN = ['run', '--no-cache'];

test.serial('a run is recorded, and the next one compiles what it called and nothing else', async (t) => {
  const cwd = await folderWith(t, { 'program.ks': PROGRAM });
  const recorded = await farjit(t, [...RUN, '--record-calls', 'profile', '--stats=json', 'program.ks'], {
    cwd,
  });
  t.is(recorded.end, 0);
  t.deepEqual(await readCallProfile(join(cwd, 'profile')), ['first', 'leaf', 'last']);
  t.is(JSON.parse(recorded.stderr).compileCallbacks, 3);
  const { end, stdout, stderr } = await farjit(
    t,
    [...RUN, '--speculate-order', 'profile', '--stats=json', 'program.ks'],
    { cwd },
  );
  t.deepEqual([end, stdout], [0, 'Evaluated to 8.000000\n']);
  const { compileCallbacks, functionsCompiled, functionsLinkedAhead } = JSON.parse(stderr);
  t.deepEqual(
    { compileCallbacks, functionsCompiled, functionsLinkedAhead },
    {
      compileCallbacks: 1,
      functionsCompiled: 3,
      functionsLinkedAhead: 2,
    },
  );
});

test.serial('a program that fails is recorded up to there', async (t) => {
  const cwd = await folderWith(t, { 'program.ks': 'def f(x) x; def g(x) missing(f(x)); f(1); g(1);' });
  const { end } = await farjit(t, [...RUN, '--record-calls', 'profile', 'program.ks'], { cwd });
  t.is(end, 1);
  t.deepEqual(await readCallProfile(join(cwd, 'profile')), ['f', 'g']);
});

test.serial(
  'a bad profile stops the run before it begins, and a bad place for one makes it fail',
  async (t) => {
    const cwd = await folderWith(t, { 'program.ks': '1;', bad: '{}' });
    const refused = await farjit(t, [...RUN, '--speculate-order', 'bad', 'program.ks'], { cwd });
    t.deepEqual([refused.stdout, refused.end], ['', 1]);
    t.regex(refused.stderr, /cannot use the profile bad/);
    const unwritten = await farjit(t, [...RUN, '--record-calls', 'no/where', 'program.ks'], { cwd });
    t.deepEqual([unwritten.stdout, unwritten.end], ['Evaluated to 1.000000\n', 1]);
    t.regex(unwritten.stderr, /cannot write the profile no\/where/);
    t.is(await readFile(join(cwd, 'bad'), 'utf8'), '{}');
  },
);
