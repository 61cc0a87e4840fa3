import { copyFile, cp, mkdir, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import test, { type ExecutionContext } from 'ava';
import { wantsExecutor, withCommand } from '../../src/cli/command-names.js';
import {
  descendants,
  ENDLESS,
  eventually,
  FARJIT,
  FARJIT_JS,
  type Finished,
  folderWith,
  gone,
  start,
} from './run-farjit.js';

/** Prints what it was started with. */
const SHOW_ARGUMENTS = 'console.log(JSON.stringify(process.argv.slice(2)));';

/** An installation of FarJIT with programs of the test's own in place of the compiler and, if wanted, the executor. */
async function install(
  t: ExecutionContext,
  programs: { compiler?: string; executor?: string },
): Promise<{ folder: string; launcher: string }> {
  const folder = await folderWith(t);
  const launcher = join(folder, 'node_modules/@farjit/compiler/dist/launcher/farjit');
  await mkdir(dirname(launcher), { recursive: true });
  await copyFile(FARJIT, launcher);
  const compiler = join(folder, 'node_modules/@farjit/compiler/bin/farjit.js');
  await mkdir(dirname(compiler));
  if (programs.compiler === undefined) await symlink(FARJIT_JS, compiler);
  else await writeFile(compiler, programs.compiler);
  if (programs.executor !== undefined) {
    const executor = join(folder, 'node_modules/@farjit/executor/bin/farjit-executor.js');
    await mkdir(dirname(executor), { recursive: true });
    await writeFile(executor, programs.executor);
  }
  await writeFile(join(folder, 'program.ks'), '1;');
  return { folder, launcher };
}

async function run(
  t: ExecutionContext,
  { folder, launcher }: { folder: string; launcher: string },
  args: readonly string[],
  env: Record<string, string> = {},
): Promise<Finished> {
  return start(t, args, { command: [launcher], cwd: folder, env }).finished;
}

const OWN_EXECUTOR: readonly (readonly string[])[] = [
  ['run', 'program.ks'],
  ['run', '-O2', 'program.ks', '--stats'],
  ['repl'],
  ['run', '--', '--executor=x'],
  ['program.ks'],
  ['./elsewhere', '--', '--executor=x'],
  ['missing.ks'],
  ['-e', '1'],
  ['-O2', 'program.ks'],
  ['-'],
  ['--json', 'run', 'program.ks'],
  ['--json', 'program.ks'],
];
const NO_EXECUTOR: readonly (readonly string[])[] = [
  [],
  ['--version'],
  ['-V'],
  ['--json', '--version'],
  ['--json'],
  ['--help'],
  ['doctor'],
  ['map', 'f', 'program.ks'],
  ['completion', 'bash'],
  ['complete', '--', 'run'],
  ['rum', 'program.ks'],
  ['program.ks', '--help'],
  ['-e', '1', '--limit=cpu=1'],
  ['run', '--help'],
  ['repl', '-h'],
  ['run', 'program.ks', '--executor', 'ws+unix:/x'],
  ['run', '--executor=ws+unix:/x', 'program.ks'],
];

test('the compiler gets the command line as it is, and before it an executor where its command has its own', async (t) => {
  const installation = await install(t, { compiler: SHOW_ARGUMENTS, executor: '' });
  for (const args of OWN_EXECUTOR) {
    const { stdout } = await run(t, installation, args);
    const [adoption, ...rest] = JSON.parse(stdout) as string[];
    t.regex(adoption ?? '', /^--adopt-executor=\d+:\d+$/);
    t.deepEqual(rest, args);
  }
  for (const args of NO_EXECUTOR)
    t.deepEqual(JSON.parse((await run(t, installation, args)).stdout), args, args.join(' '));
});

test.serial(
  'the compiler, when it is started alone, wants an executor for the same command lines',
  async (t) => {
    const folder = await folderWith(t, { 'program.ks': '1;' });
    const before = process.cwd();
    process.chdir(folder);
    t.teardown(() => process.chdir(before));
    for (const args of OWN_EXECUTOR) t.true(wantsExecutor(withCommand(args) as string[]), args.join(' '));
    for (const args of NO_EXECUTOR) t.false(wantsExecutor(withCommand(args) as string[]), args.join(' '));
  },
);

test('the executor serves the socket pair that the compiler has the other end of', async (t) => {
  const installation = await install(t, {
    compiler: `const { Socket } = require('node:net');
      const [, fd, processId] = /=(\\d+):(\\d+)$/.exec(process.argv[2]).map(Number);
      new Socket({ fd }).on('data', (data) => console.log(data.toString(), processId)).on('end', () => {});`,
    executor: `const { Socket } = require('node:net');
      const socket = new Socket({ fd: Number(process.argv[3]) });
      socket.end(process.argv[2] + ' ' + process.pid);`,
  });
  const { stdout, stderr } = await run(t, installation, ['run', 'program.ks']);
  t.is(stderr, '');
  t.regex(stdout, /^--inherit-fd (\d+) \1\n$/);
});

test('certificates that Node would read are left out where nothing speaks TLS', async (t) => {
  const show = 'console.log(process.env.NODE_EXTRA_CA_CERTS, process.env.OTHER);';
  const installation = await install(t, { compiler: show, executor: '' });
  const env = { NODE_EXTRA_CA_CERTS: '/dev/null', OTHER: 'kept' };
  t.is((await run(t, installation, ['run', 'x'], env)).stdout, 'undefined kept\n');
  t.is((await run(t, installation, ['run', 'x', '--executor=y'], env)).stdout, '/dev/null kept\n');
});

test('standard descriptors that the caller has closed are nobody’s, and not the executor’s socket', async (t) => {
  const folder = await folderWith(t, { 'program.ks': '1;' });
  for (const closed of ['<&-', '>&-', '<&- >&-']) {
    const command = ['/bin/sh', '-c', `exec "$0" "$@" ${closed}`, FARJIT];
    const { end, stderr } = await start(t, ['run', 'program.ks'], { command, cwd: folder }).finished;
    t.is(stderr, '', closed);
    t.is(end, 0, closed);
  }
});

test('an exit code and a signal are the compiler’s', async (t) => {
  const exits = await install(t, { compiler: 'process.exit(7);', executor: '' });
  t.is((await run(t, exits, ['run', 'x'])).end, 7);
  const isKilled = await install(t, { compiler: "process.kill(process.pid, 'SIGTERM');", executor: '' });
  t.is((await run(t, isKilled, ['run', 'x'])).end, 'SIGTERM');
});

test('without a compiler beside it, or without Node, it says what to do', async (t) => {
  const folder = await folderWith(t);
  const launcher = join(folder, 'farjit');
  await copyFile(FARJIT, launcher);
  const lost = await run(t, { folder, launcher }, ['run', 'x']);
  t.is(lost.end, 127);
  t.regex(lost.stderr, /^farjit: error: there is no bin\/farjit\.js in .*; install FarJIT as a whole/);
  const installation = await install(t, { compiler: '', executor: '' });
  const noNode = await run(t, installation, ['run', 'x'], { PATH: folder });
  t.deepEqual(noNode, {
    stdout: '',
    stderr:
      'farjit: error: cannot start node: No such file or directory; FarJIT needs Node 20 or later in PATH\n',
    end: 127,
  });
});

const PLATFORM = '@farjit/linux-x64-gnu/bin/farjit';
/** The packages as npm lays them out, and as pnpm does, where each has beside it what it depends on, by links. */
const LAYOUTS: readonly [what: string, modules: string, linked: readonly string[]][] = [
  ['beside each other', 'node_modules', []],
  [
    'in a store',
    'node_modules/.pnpm/farjit@0.1.0/node_modules',
    ['@farjit/compiler', '@farjit/linux-x64-gnu'],
  ],
];
for (const [what, modules, linked] of LAYOUTS)
  test(`the command that npm links starts the platform’s launcher, with packages ${what}, or else Node`, async (t) => {
    const folder = await folderWith(t);
    const place = async (path: string, content: string) => {
      const owner = linked.find((name) => path.startsWith(`${name}/`));
      const target = join(folder, owner ? 'store' : '', modules, path);
      await mkdir(dirname(target), { recursive: true });
      await writeFile(target, content, { mode: 0o755 });
      return target;
    };
    await place('@farjit/compiler/package.json', '{}');
    await place('@farjit/compiler/bin/farjit.js', SHOW_ARGUMENTS);
    await place('@farjit/executor/bin/farjit-executor.js', '');
    const launcher = await place(PLATFORM, '');
    await copyFile(FARJIT, launcher);
    for (const name of linked) {
      await mkdir(join(folder, modules, dirname(name)), { recursive: true });
      await symlink(join(folder, 'store', modules, name), join(folder, modules, name));
    }
    const own = fileURLToPath(new URL('bin', import.meta.resolve('farjit/package.json')));
    await mkdir(join(folder, modules, 'farjit'), { recursive: true });
    await cp(own, join(folder, modules, 'farjit/bin'), { recursive: true });
    await mkdir(join(folder, 'node_modules/.bin'), { recursive: true });
    const command = join(folder, 'node_modules/.bin/farjit');
    await symlink(join('../..', modules, 'farjit/bin/farjit'), command);
    const run = (args: readonly string[]) => start(t, args, { command: [command], cwd: folder }).finished;
    const [adoption, ...rest] = JSON.parse((await run(['run', 'a b', '--x'])).stdout) as string[];
    t.regex(adoption ?? '', /^--adopt-executor=/, 'the launcher was there');
    t.deepEqual(rest, ['run', 'a b', '--x']);
    await rm(launcher);
    t.deepEqual(JSON.parse((await run(['run', 'a b', '--x'])).stdout), ['run', 'a b', '--x']);
  });

test('without an executor installed, the compiler looks for it itself', async (t) => {
  const installation = await install(t, { compiler: SHOW_ARGUMENTS });
  t.is((await run(t, installation, ['run', 'x'])).stdout, '["run","x"]\n');
});

const BROKEN: readonly [what: string, executor: string, words: string][] = [
  ['exits at once', 'process.exit(3);', 'it ended with exit code 3 before it answered'],
  ['is killed', "process.kill(process.pid, 'SIGKILL');", 'it was killed by SIGKILL'],
];
for (const [what, executor, words] of BROKEN)
  test(`an executor that ${what} is reported in words`, async (t) => {
    const { stdout, stderr, end } = await run(t, await install(t, { executor }), ['run', 'program.ks']);
    t.deepEqual(
      { stdout, stderr, end },
      {
        stdout: '',
        stderr: `farjit: error: the executor could not be started: ${words}\n`,
        end: 1,
      },
    );
  });

test('an executor that is stuck when the compiler is done is ended', async (t) => {
  const installation = await install(t, { executor: 'setInterval(() => {}, 1000);' });
  await writeFile(join(installation.folder, 'bad.ks'), 'def');
  const running = start(t, ['run', 'bad.ks'], { command: [installation.launcher], cwd: installation.folder });
  let helpers: number[] = [];
  await eventually(async () => {
    helpers = await descendants(running.processId);
    return helpers.length > 0;
  }, 'the executor is there');
  t.is((await running.finished).end, 1);
  await gone(helpers);
});

test('a descriptor that is no socket is refused with words', async (t) => {
  const args = ['--adopt-executor=9:999999999', 'run', 'x.ks'];
  const { stderr, end } = await start(t, args, { command: [process.execPath, FARJIT_JS] }).finished;
  t.is(end, 1);
  t.is(stderr, 'farjit: error: descriptor 9 leads to no executor\n');
});

test('the compiler reaps its executor, so that none stays behind as a zombie', async (t) => {
  const localExecutor = new URL('../../src/executor-client/local-executor.js', import.meta.url).href;
  const installation = await install(t, {
    compiler: `const { existsSync } = require('node:fs');
      const [, socketFd, processId] = /=(\\d+):(\\d+)$/.exec(process.argv[2]).map(Number);
      import(${JSON.stringify(localExecutor)}).then(async ({ LocalExecutor }) => {
        const executor = LocalExecutor.adopt({ socketFd, processId });
        const before = existsSync('/proc/' + processId);
        await executor.stop();
        console.log(before, existsSync('/proc/' + processId));
      });`,
    executor: 'process.stdin.on("end", () => {}); setTimeout(() => {}, 300);',
  });
  t.is((await run(t, installation, ['run', 'x'])).stdout, 'true false\n');
});

/** Of `/proc/<pid>/stat`: what follows the name. */
async function statOf(processId: number): Promise<string[]> {
  const stat = await readFile(`/proc/${processId}/stat`, 'utf8');
  return stat.slice(stat.lastIndexOf(')') + 2).split(' ');
}

test('the launcher becomes the compiler, whose child the executor is, in a session of its own', async (t) => {
  const cwd = await folderWith(t, { 'endless.ks': ENDLESS });
  const { child, processId, printed, finished } = start(t, ['run', 'endless.ks'], { cwd });
  await printed('stdout', '7.000000\n');
  const words = (await readFile(`/proc/${processId}/cmdline`, 'utf8')).split('\0');
  t.is(words[1], FARJIT_JS);
  const executor = Number(/:(\d+)$/.exec(words[2] ?? '')?.[1]);
  const [, parent, , session] = await statOf(executor);
  t.deepEqual([Number(parent), Number(session)], [processId, executor]);
  child.kill('SIGINT');
  t.is((await finished).end, 130);
});
