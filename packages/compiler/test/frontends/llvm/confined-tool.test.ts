import test from 'ava';
import { CCompilerError } from '../../../src/frontends/llvm/c-errors.js';
import { runConfined } from '../../../src/frontends/llvm/confined-tool.js';

const LIMITS = { wallMs: 60_000, cpuSeconds: 60, outputBytes: 1_000_000 };
const READABLE = ['/usr', '/lib', '/lib64', '/bin'];
const run = (script: string, options: { limits?: Partial<typeof LIMITS>; signal?: AbortSignal } = {}) =>
  runConfined('/bin/sh', ['-c', script], {
    input: 'from outside\n',
    cwd: '/',
    readable: READABLE,
    signal: options.signal,
    limits: { ...LIMITS, ...options.limits },
  });

test('a program gets its input, nothing of the environment, and says how it ended', async (t) => {
  const { output, words, end } = await run('read x; echo "$x|$HOME|$LC_ALL"; echo words >&2');
  t.deepEqual([output.toString(), words, end], ['from outside||C\n', 'words\n', 'done']);
  t.is((await run('exit 3')).end, 'exit code 3');
});

test('a program that takes too long, or too much, is ended', async (t) => {
  const endless = 'while :; do :; done';
  t.is((await run(endless, { limits: { wallMs: 300 } })).end, 'not done after 300 ms');
  t.is((await run(endless, { limits: { cpuSeconds: 1 } })).end, 'SIGKILL');
  t.is(
    (await run('while :; do echo yes; done', { limits: { outputBytes: 1000 } })).end,
    'its output has more than 1000 bytes',
  );
  t.is((await run(endless, { signal: AbortSignal.timeout(300) })).end, 'cancelled');
  t.is((await run(endless, { signal: AbortSignal.abort() })).end, 'cancelled');
});

test('a program reads what it may, and starts and writes nothing', async (t) => {
  t.is((await run('read x < /etc/hostname')).end, 'exit code 2');
  t.not((await run('echo x > /tmp/farjit-confined')).end, 'done');
  t.not((await run('/bin/true; exit $?')).end, 'done');
  t.is((await run('read x < /usr/bin/env || true')).end, 'done');
});

test('a program that is not there is not started', async (t) => {
  const options = { input: '', cwd: '/', readable: READABLE, limits: LIMITS };
  const { end } = await runConfined('/usr/bin/nowhere', [], options);
  t.is(end, 'exit code 127');
  await t.throwsAsync(runConfined('/bin/sh', [], { ...options, readable: ['/nowhere'] }), {
    instanceOf: CCompilerError,
    message:
      /^\/bin\/sh cannot be confined here, and is not run otherwise \(.*\/nowhere.*\): compile it yourself/s,
  });
  await t.throwsAsync(runConfined('/bin/sh', [], { ...options, cwd: '/nowhere' }), {
    instanceOf: CCompilerError,
  });
});
