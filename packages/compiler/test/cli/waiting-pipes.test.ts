import { execFileSync } from 'node:child_process';
import { open, readdir, readlink } from 'node:fs/promises';
import { join } from 'node:path';
import anyTest, { type ExecutionContext } from 'ava';
import { eventually, farjit, folderWith, start } from './run-farjit.js';

const test = anyTest.serial;
const PIPES = ['main.ll', 'main.ks', 'data.csv', 'x.f64', 'calls.json'];

async function folderWithPipes(
  t: ExecutionContext,
  files: Record<string, string>,
  ...pipes: string[]
): Promise<string> {
  const folder = await folderWith(t, files);
  execFileSync('mkfifo', pipes, { cwd: folder });
  return folder;
}

/** Whether a process has one of the pipes of the folder open. */
async function hasPipe(processId: number, folder: string): Promise<boolean> {
  const fds = `/proc/${processId}/fd`;
  const names = await readdir(fds).catch(() => []);
  const targets = await Promise.all(names.map((name) => readlink(join(fds, name)).catch(() => '')));
  return targets.some((target) => PIPES.some((pipe) => target === join(folder, pipe)));
}

test('a program is read from a pipe when somebody writes it', async (t) => {
  const cwd = await folderWithPipes(t, {}, 'main.ll');
  const running = start(t, ['run', 'main.ll'], { cwd });
  const pipe = await open(join(cwd, 'main.ll'), 'w');
  await pipe.write('define i32 @main() {\n  ret i32 7\n}\n');
  await pipe.close();
  t.is((await running.finished).end, 7);
});

test('a command that waits for a pipe ends when it is asked to', async (t) => {
  const cwd = await folderWithPipes(t, { 'f.ks': 'def f(x) x;' }, ...PIPES);
  for (const args of [
    ['run', 'main.ll'],
    ['run', 'main.ks'],
    ['map', 'f', 'main.ks', '--input=data.csv'],
    ['map', 'f', 'f.ks', '--input=data.csv'],
    ['map', 'f', 'f.ks', '--input=x.f64'],
    ['run', '--speculate-order=calls.json', 'f.ks'],
  ]) {
    const { child, processId, finished } = start(t, args, { cwd });
    await eventually(() => hasPipe(processId, cwd), `it waits: ${args.join(' ')}`);
    child.kill('SIGTERM');
    const { end } = await finished;
    t.true(end === 143 || end === 'SIGTERM', args.join(' '));
  }
});

test('what has to be a file and is a pipe that nobody writes to is refused', async (t) => {
  const cwd = await folderWithPipes(
    t,
    { 'main.ll': 'define i32 @main() {\n  ret i32 7\n}\n', 'f.ks': '1;' },
    'libx.so',
    'token',
  );
  const library = await farjit(t, ['run', '-L.', '-lx', 'main.ll'], { cwd });
  t.regex(library.stderr, /there is no libx\.so/);
  const preload = await farjit(t, ['run', '--preload=./libx.so', 'main.ll'], { cwd });
  t.regex(preload.stderr, /cannot preload .*\/libx\.so: it is no regular file/);
  const token = await farjit(t, ['run', '--executor=ws://127.0.0.1:1', '--token-file=token', 'f.ks'], {
    cwd,
  });
  t.regex(token.stderr, /cannot use the token in token: it is a FIFO, to which nobody may ever write/);
});

test('a command that waits for somebody to read what it writes ends when it is asked to', async (t) => {
  const cwd = await folderWithPipes(t, { 'f.ks': 'def f(x) x; f(3);' }, 'calls.json');
  const { child, printed, finished } = start(t, ['run', '--record-calls=calls.json', 'f.ks'], { cwd });
  await printed('stdout', 'Evaluated to 3.000000\n');
  child.kill('SIGTERM');
  t.is((await finished).end, 143);
});
