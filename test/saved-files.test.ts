/* Folders of this machine that a program's changes are written back into: all of them, through no link, and over nothing else. */
import {
  chmodSync,
  linkSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type EntryOptions, JIT } from '@farjit/compiler';
import test, { type ExecutionContext } from 'ava';

/** Does what its arguments say, then waits for the end of its input, and ends as the last one says. */
const PROGRAM = `
  #define _GNU_SOURCE
  #include <errno.h>
  #include <fcntl.h>
  #include <signal.h>
  #include <stdio.h>
  #include <stdlib.h>
  #include <string.h>
  #include <sys/stat.h>
  #include <unistd.h>
  static void does(char *what, char *path, char *more) {
    int result = 0;
    if (*what == 'w') {
      FILE *file = fopen(path, "w");
      if (!file || fputs(more, file) < 0 || fclose(file)) result = -1;
    }
    if (*what == 'r') result = remove(path);
    if (*what == 'm') result = mkdir(path, 0755);
    if (*what == 'l') result = symlink(more, path);
    if (*what == 'n') result = rename(path, more);
    if (*what == 'h') result = truncate(path, 200 << 20);
    if (result) printf("%s %s: %s\\n", what, path, strerrorname_np(errno));
  }
  int main(int count, char **arguments) {
    for (int i = 1; i + 2 < count; i += 3) does(arguments[i], arguments[i + 1], arguments[i + 2]);
    fflush(stdout);
    while (getchar() != EOF);
    if (!strcmp(arguments[count - 1], "dies")) raise(SIGKILL);
    return atoi(arguments[count - 1]);
  }`;

async function open(t: ExecutionContext) {
  const host = mkdtempSync(join(tmpdir(), 'farjit-saved-'));
  t.teardown(() => rmSync(host, { recursive: true }));
  let printed = '';
  const jit = await JIT.create({
    onOutput: (_, content) => {
      printed += Buffer.from(content).toString();
    },
  });
  t.teardown(() => jit.close());
  await jit.addC(PROGRAM);
  const run = async (
    steps: readonly string[][],
    { end = '0', ...options }: EntryOptions & { end?: string } = {},
  ) => {
    printed = '';
    const files = { '/d': { directory: host, writable: true, save: true } };
    const argv = [
      'program',
      ...steps.flatMap(([what = '', path = '', more = '']) => [what, path, more]),
      end,
    ];
    const result = await jit.runProgram({ files, argv, ...options });
    t.is(printed, '');
    return result;
  };
  const write = (path: string, content: string) => {
    mkdirSync(join(host, path, '..'), { recursive: true });
    writeFileSync(join(host, path), content);
  };
  const read = (path: string) => readFileSync(join(host, path), 'utf8');
  return { host, jit, run, write, read };
}

test('what a program changes, makes and removes is written back, and nothing else is touched', async (t) => {
  const { host, run, write, read } = await open(t);
  for (const name of ['same', 'changed', 'removed', 'deep/er/moved']) write(name, `${name} as given`);
  chmodSync(join(host, 'changed'), 0o750);
  symlinkSync('same', join(host, 'link'));
  symlinkSync('same', join(host, 'removed-link'));
  const { ino, mtimeMs } = statSync(join(host, 'same'));
  const result = await run(
    [
      ['w', '/d/changed', 'anew'],
      ['r', '/d/removed'],
      ['r', '/d/removed-link'],
      ['n', '/d/deep/er/moved', '/d/deep/here'],
      ['m', '/d/made'],
      ['w', '/d/made/file', 'made'],
      ['w', '/d/n\xffme', 'odd'],
      ['w', '/tmp/elsewhere', 'gone'],
    ],
    { end: '3' },
  );
  t.deepEqual([result.exitCode, result.unsaved, result.files], [3, [], undefined]);
  t.deepEqual(readdirSync(host).sort(), ['changed', 'deep', 'link', 'made', 'n\u00ffme', 'same']);
  t.deepEqual(
    [read('changed'), read('made/file'), read('deep/here')],
    ['anew', 'made', 'deep/er/moved as given'],
  );
  t.is(statSync(join(host, 'changed')).mode & 0o777, 0o750);
  t.deepEqual([readdirSync(join(host, 'deep/er')), readlinkSync(join(host, 'link'))], [[], 'same']);
  const same = statSync(join(host, 'same'));
  t.deepEqual([same.ino, same.mtimeMs], [ino, mtimeMs]);
});

test('no link is followed or made, and none is replaced', async (t) => {
  const { host, run, write, read } = await open(t);
  write('inside/file', 'as given');
  const other = mkdtempSync(join(tmpdir(), 'farjit-other-'));
  t.teardown(() => rmSync(other, { recursive: true }));
  writeFileSync(join(other, 'file'), 'of another');
  symlinkSync(other, join(host, 'out'));
  symlinkSync(join(other, 'file'), join(host, 'to'));
  const { unsaved } = await run([
    ['r', '/d/out'],
    ['m', '/d/out'],
    ['w', '/d/out/file', 'its own'],
    ['r', '/d/to'],
    ['w', '/d/to', 'wrong'],
    ['l', '/d/made', other],
    ['r', '/d/inside/file'],
    ['r', '/d/inside'],
    ['l', '/d/inside', other],
  ]);
  t.deepEqual(unsaved?.map(({ path, reason }) => `${path}: ${reason}`).sort(), [
    '/d/inside: it is a symbolic link, or cannot be read',
    '/d/made: it is a symbolic link, or cannot be read',
  ]);
  t.is(readFileSync(join(other, 'file'), 'utf8'), 'of another');
  t.deepEqual(readdirSync(other), ['file']);
  // What it has made of its own link is in the link's place.
  t.true(lstatSync(join(host, 'to')).isFile());
  t.is(read('to'), 'wrong');
  t.deepEqual([lstatSync(join(host, 'out')).isDirectory(), read('out/file')], [true, 'its own']);
  t.deepEqual(readdirSync(host).sort(), ['inside', 'out', 'to']);
  t.deepEqual(readdirSync(join(host, 'inside')), []);
});

test('a link that has come to be on the way meanwhile is not followed', async (t) => {
  const { host, run, write } = await open(t);
  write('folder/file', 'as given');
  const other = mkdtempSync(join(tmpdir(), 'farjit-other-'));
  t.teardown(() => rmSync(other, { recursive: true }));
  writeFileSync(join(other, 'file'), 'as given');
  async function* stdin() {
    rmSync(join(host, 'folder'), { recursive: true });
    symlinkSync(other, join(host, 'folder'));
    yield 'now';
  }
  const steps = [
    ['w', '/d/folder/file', 'wrong'],
    ['w', '/d/folder/new', 'wrong'],
  ];
  const { unsaved } = await run(steps, { stdin: stdin() });
  const reason = 'its path goes through what is no folder here';
  t.deepEqual(
    unsaved?.map((one) => one.reason),
    [reason, reason],
  );
  t.deepEqual(readdirSync(other), ['file']);
  t.is(readFileSync(join(other, 'file'), 'utf8'), 'as given');
});

test('what has changed meanwhile, or would be lost, stays, and is named', async (t) => {
  const { host, run, write, read } = await open(t);
  for (const name of ['changed', 'removed', 'gone', 'kept', 'linked', 'folder']) write(name, 'as given');
  linkSync(join(host, 'linked'), join(host, 'second'));
  async function* stdin() {
    write('changed', 'by another');
    write('removed', 'by another');
    write('new', 'by another');
    rmSync(join(host, 'gone'));
    rmSync(join(host, 'folder'));
    mkdirSync(join(host, 'folder'));
    yield 'now';
  }
  const { unsaved } = await run(
    [
      ['w', '/d/changed', 'mine'],
      ['r', '/d/removed'],
      ['w', '/d/new', 'mine'],
      ['w', '/d/gone', 'mine'],
      ['w', '/d/folder', 'mine'],
      ['w', '/d/linked', 'mine'],
      ['w', '/d/kept', 'mine'],
      ['w', '/d/hole', 'mine'],
      ['h', '/d/hole'],
      ['w', '/d/second-hole', 'mine'],
      ['h', '/d/second-hole'],
    ],
    { stdin: stdin() },
  );
  const reasons = new Map(unsaved?.map(({ path, reason }) => [path, reason]));
  const holes = ['/d/hole', '/d/second-hole'].filter((path) => reasons.delete(path));
  t.is(holes.length, 1);
  t.deepEqual(Object.fromEntries(reasons), {
    '/d/changed': 'what is there has changed meanwhile',
    '/d/removed': 'what is there has changed meanwhile',
    '/d/new': 'something else is there',
    '/d/gone': 'what is there has changed meanwhile',
    '/d/folder': 'what is there has changed meanwhile',
    '/d/linked': 'it has other names here, which would keep what it was',
  });
  t.deepEqual(
    [read('changed'), read('removed'), read('new'), read('kept')],
    ['by another', 'by another', 'by another', 'mine'],
  );
  t.deepEqual(
    readdirSync(host).filter((name) => name.includes('partial')),
    [],
  );
});

test('a program that does not end by itself changes nothing', async (t) => {
  const { run, write, read } = await open(t);
  write('file', 'as given');
  const steps = [['w', '/d/file', 'anew']];
  t.like(await run(steps, { end: 'dies' }), { signal: 'SIGKILL', unsaved: undefined });
  async function* never() {
    await new Promise(() => {});
    yield '';
  }
  await t.throwsAsync(run(steps, { stdin: never(), deadlineMs: 1000 }), { code: 'DEADLINE_EXCEEDED' });
  t.is(read('file'), 'as given');
});

test('folders in each other are written back each for itself, and only a writable one that is there can be', async (t) => {
  const { host, jit, write, read } = await open(t);
  write('outer/file', 'outer');
  write('inner/file', 'inner');
  const directory = (name: string) => join(host, name);
  const files = {
    '/d': { directory: directory('outer'), writable: true, save: true },
    '/d/in': { directory: directory('inner'), writable: true, save: true },
    '/d/own': { writable: true },
  };
  const argv = [
    'program',
    'w',
    '/d/in/file',
    'inner anew',
    'w',
    '/d/own/file',
    'own',
    'w',
    '/d/file',
    'outer anew',
    '0',
  ];
  t.deepEqual((await jit.runProgram({ files, argv })).unsaved, []);
  t.deepEqual([read('outer/file'), read('inner/file')], ['outer anew', 'inner anew']);
  t.deepEqual(readdirSync(directory('outer')), ['file']);
  for (const wrong of [
    { directory: host, save: true },
    { writable: true, save: true },
  ])
    await t.throwsAsync(async () => jit.runProgram({ files: { '/d': wrong } }), { code: 'BAD_ARGUMENT' });
});
