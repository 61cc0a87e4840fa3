import { execFileSync } from 'node:child_process';
import { lstat, readdir, readFile, symlink } from 'node:fs/promises';
import { join } from 'node:path';
import test from 'ava';
import { writeCallProfile } from '../../src/cli/call-profile.js';
import { CommandStreams } from '../../src/cli/command-streams.js';
import { checkMapOutput, writeMapOutput } from '../../src/cli/map-output.js';
import { folderWith } from './run-farjit.js';

test('results are written beside their place under a name that nobody can wait at with a link', async (t) => {
  const folder = await folderWith(t, { precious: 'mine\n' });
  const path = join(folder, 'results.csv');
  const waiting = `${path}.${process.pid}.partial`;
  await symlink(join(folder, 'precious'), waiting);
  await checkMapOutput(path);
  await writeMapOutput(
    path,
    { name: 'f', results: Float64Array.of(1, 2.5), hasHeader: false },
    new CommandStreams(() => {}),
  );
  t.is(await readFile(path, 'utf8'), '1\n2.5\n');
  t.is(await readFile(join(folder, 'precious'), 'utf8'), 'mine\n');
  t.true((await lstat(waiting)).isSymbolicLink());
  t.deepEqual((await readdir(folder)).sort(), [
    'precious',
    'results.csv',
    `results.csv.${process.pid}.partial`,
  ]);
});

test('of results that could not be written nothing is left', async (t) => {
  class Broken extends Float64Array {
    override subarray(): never {
      throw new Error('no more of them');
    }
  }
  const folder = await folderWith(t, {});
  const path = join(folder, 'results.csv');
  const streams = new CommandStreams(() => {});
  await t.throwsAsync(writeMapOutput(path, { name: 'x', results: new Broken(3), hasHeader: true }, streams), {
    message: /no more of them/,
  });
  t.deepEqual(await readdir(folder), []);
});

test('a profile takes the place of a link, and leaves alone what the link leads to', async (t) => {
  const folder = await folderWith(t, { precious: 'mine\n' });
  const path = join(folder, 'calls.json');
  await symlink(join(folder, 'precious'), path);
  await writeCallProfile(path, ['f']);
  t.true((await lstat(path)).isFile());
  t.is(await readFile(join(folder, 'precious'), 'utf8'), 'mine\n');
  t.deepEqual((await readdir(folder)).sort(), ['calls.json', 'precious']);
});

test('a profile takes the place of no pipe and no device, nor of a link to one', async (t) => {
  const folder = await folderWith(t, {});
  const path = join(folder, 'calls.json');
  execFileSync('mkfifo', [path]);
  const read = readFile(path, 'utf8');
  await writeCallProfile(path, ['f']);
  t.deepEqual(JSON.parse(await read).functions, ['f']);
  t.true((await lstat(path)).isFIFO());
  const device = join(folder, 'device');
  await symlink('/dev/null', device);
  await writeCallProfile(device, ['f']);
  t.true((await lstat(device)).isSymbolicLink());
  t.deepEqual((await readdir(folder)).sort(), ['calls.json', 'device']);
});
