import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { copyFileSync, existsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { makeProject, output } from './installation.mjs';

/** Has Node say that it is another machine's, as far as FarJIT asks it. */
const PRETEND = `for (const [name, value] of [['platform', 'darwin'], ['arch', 'arm64']])
  Object.defineProperty(process, name, { value });`;
const ADDON = 'node_modules/@yuuang/ffi-rs';

/**
 * What npm installs on a Mac, used by this machine's Node, which says that it is one: a local start says what to do, and a
 * program that is an object runs on an executor of another project. The native half of ffi-rs is this machine's, and is not called.
 */
export async function checkElsewhere(checks, project, registry, executorProject) {
  makeProject(project);
  const where = ['--os=darwin', '--cpu=arm64'];
  await output('npm', ['install', 'farjit', '--registry', registry, ...where], { cwd: project });
  checks.note(
    'elsewhere: no native programs are installed',
    existsSync(join(project, 'node_modules/@farjit/linux-x64-gnu')) ? 'they are' : '',
  );
  copyFileSync(
    join(executorProject, `${ADDON}-linux-x64-gnu/ffi-rs.linux-x64-gnu.node`),
    join(project, `${ADDON}-darwin-arm64/ffi-rs.darwin-arm64.node`),
  );
  await checks.attempt('elsewhere: a local start says what to do where the C library is musl', async () => {
    const musl = `${project}-musl`;
    makeProject(musl);
    await output('npm', ['install', 'farjit', '--registry', registry, '--libc=musl'], { cwd: musl });
    const args = ['run', 'program.ks'];
    const words = await output(join(musl, 'node_modules/.bin/farjit'), args, { cwd: musl, mayFail: true });
    if (!/^farjit: error: no executor runs here: .*where the C library is glibc/.test(words))
      throw new Error(words);
  });
  const pretend = join(project, 'pretend.cjs');
  writeFileSync(pretend, PRETEND);
  const options = { cwd: project, env: { ...process.env, NODE_OPTIONS: `--require ${pretend}` } };
  const farjit = join(project, 'node_modules/.bin/farjit');
  await checks.attempt('elsewhere: a local start says what to do', async () => {
    const words = await output(farjit, ['run', 'program.ks'], { ...options, mayFail: true });
    if (!/^farjit: error: no executor runs here: darwin on arm64 has none\. Use Linux/.test(words))
      throw new Error(words);
  });
  await checks.attempt('elsewhere: an object’s program runs on an executor of another machine', async () => {
    writeFileSync(
      join(project, 'hello.c'),
      '#include <stdio.h>\nint main(void) { puts("hello"); return 0; }\n',
    );
    await output('cc', ['-c', '-O1', '-fPIC', 'hello.c'], { cwd: project });
    const socket = join(executorProject, 'executor.socket');
    const executor = spawn(
      join(executorProject, 'node_modules/.bin/farjit-executor'),
      ['--listen', `ws+unix:${socket}`],
      { stdio: 'ignore', timeout: 120_000 },
    );
    try {
      const until = Date.now() + 20_000;
      while (!existsSync(socket) && Date.now() < until)
        await new Promise((resolve) => setTimeout(resolve, 20));
      const printed = await output(farjit, ['run', '--executor', `ws+unix:${socket}`, 'hello.o'], options);
      if (printed !== 'hello\n') throw new Error(printed);
    } finally {
      executor.kill('SIGTERM');
      await once(executor, 'close');
    }
  });
}
