import {
  appendFile,
  chmod,
  chown,
  mkdir,
  readdir,
  readFile,
  stat,
  symlink,
  truncate,
  writeFile,
} from 'node:fs/promises';
import { homedir } from 'node:os';
import { join } from 'node:path';
import test from 'ava';
import { History, historyPath } from '../../src/cli/history.js';
import { MAX_HISTORY_ENTRIES } from '../../src/cli/line-editor.js';
import { folderWith } from './run-farjit.js';

test('the file is under XDG_STATE_HOME, else under ~/.local/state', (t) => {
  t.is(historyPath({ XDG_STATE_HOME: '/state' }), '/state/farjit/history');
  const byDefault = join(homedir(), '.local/state/farjit/history');
  t.is(historyPath({}), byDefault);
  t.is(historyPath({ XDG_STATE_HOME: 'relative' }), byDefault);
});

test('lines come back newest first, in a file for the owner alone', async (t) => {
  const path = join(await folderWith(t), 'farjit', 'history');
  const history = new History(path);
  t.deepEqual(history.load(), []);
  for (const line of ['one', '', 'two', '\u001b[2J', 'x'.repeat(5000), '\ttabs stay']) history.add(line);
  t.deepEqual(new History(path).load(), ['\ttabs stay', 'two', 'one']);
  t.is((await stat(path)).mode & 0o777, 0o600);
});

test('an entry of several lines comes back as one, with its backslashes', async (t) => {
  const path = join(await folderWith(t), 'history');
  const entries = ['def f(x)\n  x + 1', 'a\\nb', '\\', 'x\\\ny', '\\\\n'];
  const history = new History(path);
  for (const entry of entries) history.add(entry);
  t.deepEqual(new History(path).load(), entries.toReversed());
  t.is((await readFile(path, 'utf8')).split('\n').length, entries.length + 1);
});

test('a file that others may read is closed to them', async (t) => {
  const folder = await folderWith(t, { history: 'old\n' });
  const path = join(folder, 'history');
  await chmod(path, 0o644);
  t.deepEqual(new History(path).load(), ['old']);
  t.is((await stat(path)).mode & 0o777, 0o600);
});

test('two sessions keep each other\u2019s lines', async (t) => {
  const path = join(await folderWith(t), 'history');
  const [first, second] = [new History(path), new History(path)];
  first.load();
  second.load();
  first.add('a');
  second.add('b');
  first.add('c');
  t.deepEqual(new History(path).load(), ['c', 'b', 'a']);
});

test('only the newest lines are offered', async (t) => {
  const lines = Array.from({ length: MAX_HISTORY_ENTRIES + 500 }, (_, index) => `line ${index}`);
  const folder = await folderWith(t, { history: `${lines.join('\n')}\n` });
  t.deepEqual(new History(join(folder, 'history')).load(), lines.slice(500).reverse());
});

test('of a file that has grown without bound the end is read, and kept', async (t) => {
  const folder = await folderWith(t, { history: 'first\n' });
  const path = join(folder, 'history');
  // A hole: two gigabytes that are on no disk.
  await truncate(path, 2 ** 31);
  await appendFile(path, '\none\ntwo\n');
  t.deepEqual(new History(path).load(), ['two', 'one']);
  t.is(await readFile(path, 'utf8'), 'one\ntwo\n');
});

test('the file does not grow without bound, neither over sessions nor within one', async (t) => {
  const folder = await folderWith(t, { history: `${'y'.repeat(4000)}\n`.repeat(300) });
  const path = join(folder, 'history');
  const history = new History(path);
  t.true(history.load().length > 10);
  t.true((await stat(path)).size <= 256 * 1024);
  for (let index = 0; index < 200; index++) history.add(`${index} ${'z'.repeat(4000)}`);
  t.true((await stat(path)).size <= 256 * 1024);
  t.true((await readFile(path, 'utf8')).endsWith(`199 ${'z'.repeat(4000)}\n`));
  t.deepEqual(await readdir(folder), ['history']);
});

test('a link is not followed, to read or to write, and it is said', async (t) => {
  const folder = await folderWith(t, { precious: 'one\n' });
  const path = join(folder, 'history');
  await symlink(join(folder, 'precious'), path);
  await chmod(join(folder, 'precious'), 0o644);
  const history = new History(path);
  t.deepEqual(history.load(), []);
  history.add('two');
  t.is(history.problem, `${path} is a link, which is not followed`);
  t.is(await readFile(join(folder, 'precious'), 'utf8'), 'one\n');
  t.is((await stat(join(folder, 'precious'))).mode & 0o777, 0o644);
});

test('a file or folder that others may write to is not used, and it is said', async (t) => {
  const folder = await folderWith(t, { history: 'evil\n' });
  const path = join(folder, 'history');
  for (const [what, mode] of [
    [path, 0o622],
    [folder, 0o770],
    [folder, 0o1777],
  ] as const) {
    await chmod(what, mode);
    const history = new History(path);
    t.deepEqual(history.load(), []);
    history.add('line');
    t.regex(history.problem ?? '', /can be written by others \(mode \d+\): chmod go-w it$/);
    t.is(await readFile(path, 'utf8'), 'evil\n');
    await chmod(what, 0o700);
  }
  t.deepEqual(new History(path).load(), ['evil']);
});

(process.getuid?.() === 0 ? test : test.skip)('another user’s folder or file is not used', async (t) => {
  const folder = await folderWith(t, { history: 'evil\n' });
  const path = join(folder, 'history');
  for (const what of [path, folder]) {
    await chown(what, 12_345, 12_345);
    const history = new History(path);
    t.deepEqual(history.load(), []);
    history.add('line');
    t.regex(history.problem ?? '', /belongs to another user \(12345\)$/);
    t.is(await readFile(path, 'utf8'), 'evil\n');
    await chown(what, 0, 0);
  }
});

test('a file that cannot be read or written costs the history and nothing else', async (t) => {
  const folder = await folderWith(t, { file: '' });
  await mkdir(join(folder, 'history'));
  await writeFile(join(folder, 'history', 'keep'), '');
  for (const path of [join(folder, 'file', 'below', 'history'), join(folder, 'history')]) {
    const history = new History(path);
    t.deepEqual(history.load(), []);
    t.notThrows(() => history.add('line'));
  }
});
