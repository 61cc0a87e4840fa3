import { execFileSync } from 'node:child_process';
import { open } from 'node:fs/promises';
import { join } from 'node:path';
import test, { type ExecutionContext } from 'ava';
import { openStream, readBoundedFile } from '../../src/files/bounded-file.js';
import { folderWith } from '../cli/run-farjit.js';

async function fifo(t: ExecutionContext): Promise<string> {
  const path = join(await folderWith(t), 'fifo');
  execFileSync('mkfifo', [path]);
  return path;
}

test('a pipe is read when somebody writes to it, up to a size', async (t) => {
  for (const [maxBytes, read] of [
    [5, readBoundedFile],
    [4, readBoundedFile],
    [5, async (path: string) => Buffer.concat(await (await openStream(path)).toArray())],
  ] as const) {
    const path = await fifo(t);
    const reading = read(path, maxBytes);
    const writer = await open(path, 'w');
    await writer.write('ab');
    await writer.write('cde');
    await writer.close();
    if (maxBytes === 5) t.is((await reading).toString(), 'abcde');
    else await t.throwsAsync(reading, { message: 'it has more than 4 bytes' });
  }
});

test('who waits for a pipe can give up', async (t) => {
  const giveUp = new AbortController();
  const reading = readBoundedFile(await fifo(t), 5, giveUp.signal);
  giveUp.abort();
  await t.throwsAsync(reading, { name: 'AbortError' });
});

test('a directory and what is not there are errors of the system', async (t) => {
  const folder = await folderWith(t);
  await t.throwsAsync(readBoundedFile(folder, 5), { code: 'EISDIR' });
  await t.throwsAsync(readBoundedFile(join(folder, 'nothing'), 5), { code: 'ENOENT' });
  t.is((await readBoundedFile('/dev/null', 5)).byteLength, 0);
});
