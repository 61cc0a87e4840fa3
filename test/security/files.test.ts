import { execFile } from 'node:child_process';
import { chmodSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { JIT } from '@farjit/compiler';
import { DEFAULT_RUNNER_PATH } from '@farjit/executor';
import test, { type ExecutionContext } from 'ava';
import { buildNative } from '#executor/test/build-native.js';
import { cannotRunAsUser, runScript } from './as-user.js';
import { ATTEMPTS } from './file-attempts.js';

const SCRIPT = fileURLToPath(new URL('files-process.js', import.meta.url));
const WITHOUT = fileURLToPath(new URL('without', `file://${DEFAULT_RUNNER_PATH}`));
const run = promisify(execFile);
/** The attempts, compiled: where there is no Landlock no clang is started, which would not be confined. */
let object: string;
test.before('the helpers are built', async () => {
  await buildNative();
  const directory = mkdtempSync(join(tmpdir(), 'farjit-attempts-'));
  chmodSync(directory, 0o755);
  writeFileSync(join(directory, 'attempts.c'), ATTEMPTS);
  object = join(directory, 'attempts.o');
  await run('cc', ['-c', '-O1', '-fPIC', '-o', object, join(directory, 'attempts.c')]);
});
test.after.always('the helpers are removed', () => rmSync(dirname(object), { recursive: true }));

/** What must become of the attempts under a heading, but of those that are named. */
const EXPECTED: Readonly<Record<string, readonly [answer: string, but: Readonly<Record<string, string>>]>> = {
  paths: ['ENOENT', { 'link of the given folder to itself': 'ELOOP' }],
  'what is given is read-only': [
    'EROFS',
    {
      // Of a file that is its own user's, but of which nobody may write: Landlock, or the rights, come first.
      write: 'EACCES',
      truncate: 'EACCES',
      'through a link of its own': 'EACCES',
      'rename into /tmp': 'EXDEV',
      'link into /tmp': 'EXDEV',
    },
  ],
  'special files': ['EPERM', {}],
  devices: [
    'EROFS',
    {
      'write to /dev/null': 'done',
      'write to /dev/zero': 'done',
      'read /dev/urandom': 'done',
      'write to /dev/urandom': 'EACCES',
      'rename over /dev/null': 'EXDEV',
      'second name of /dev/null': 'EXDEV',
      'ioctl of /dev/urandom': 'EPERM',
      'memory of /dev/zero': 'EPERM',
    },
  ],
  'system calls': ['EPERM', {}],
};

/** A folder with a file, and links that lead out of it. */
function givenFolder(t: ExecutionContext): string {
  const folder = mkdtempSync(join(tmpdir(), 'farjit-given-'));
  t.teardown(() => rmSync(folder, { recursive: true }));
  writeFileSync(join(folder, 'file'), 'content');
  symlinkSync('/etc/passwd', join(folder, 'absolute'));
  symlinkSync('../../../../etc/passwd', join(folder, 'upwards'));
  symlinkSync('around', join(folder, 'around'));
  return folder;
}

/** @param elsewise what becomes of others here. */
function checkAttempts(
  t: ExecutionContext,
  said: string,
  elsewise: Readonly<Record<string, string>> = {},
): void {
  let heading = '';
  let count = 0;
  for (const line of said.trim().split('\n')) {
    if (line.startsWith('# ')) {
      heading = line.slice(2);
      continue;
    }
    count++;
    const [name = '', answer] = line.split(': ');
    const [usual, but] = EXPECTED[heading] ?? ['', {}];
    t.is(answer, elsewise[name] ?? but[name] ?? usual, `${heading}: ${name}`);
  }
  t.log(said);
  t.true(count > 80);
}

test('a program that is given files gets at nothing else', async (t) => {
  checkAttempts(t, (await run(process.execPath, [SCRIPT, object, givenFolder(t)])).stdout);
});

const reason = cannotRunAsUser();
(reason === undefined ? test : test.skip)('the same as an ordinary user', async (t) => {
  const folder = givenFolder(t);
  chmodSync(folder, 0o755);
  checkAttempts(t, await runScript('files-process.js', [object, folder], true));
});

test('where the kernel has no Landlock, namespaces and seccomp still keep it from all else', async (t) => {
  const { stdout } = await run(WITHOUT, [
    'landlock_create_ruleset:38',
    '--',
    process.execPath,
    SCRIPT,
    object,
    givenFolder(t),
  ]);
  // As every user of a machine may: what is written there only makes it harder to guess.
  checkAttempts(t, stdout, { 'write to /dev/urandom': 'done' });
});

test('without a mount namespace of its own files are refused with words, and programs without files run', async (t) => {
  const { stdout } = await run(WITHOUT, [
    'unshare:1',
    '--',
    process.execPath,
    SCRIPT,
    object,
    givenFolder(t),
  ]);
  t.regex(
    stdout,
    /^FILES_REFUSED: main is not run: .*files need a mount namespace, which is not here: .*mount namespace \(Operation not permitted\)/,
  );
  t.true(stdout.trim().endsWith('without files: 0'), stdout);
});

test('files are refused with words where there is no sandbox', async (t) => {
  const jit = await JIT.create({ local: { sandbox: 'off' } });
  t.teardown(() => jit.close());
  await jit.addIR('define i32 @main() { ret i32 0 }');
  const error = await t.throwsAsync(async () => jit.runProgram({ files: { '/a': 'x' } }), {
    code: 'FILES_REFUSED',
  });
  t.regex(error.message, /files need a mount namespace, and there is none without a sandbox/);
  t.is((await jit.runProgram()).exitCode, 0);
});

test('a program without files can open none, as before', async (t) => {
  let said = '';
  const jit = await JIT.create({
    onOutput: (_, content) => {
      said += Buffer.from(content).toString();
    },
  });
  t.teardown(() => jit.close());
  await jit.addC(ATTEMPTS);
  // In one session with one that has some.
  await jit.runProgram({ files: {} });
  said = '';
  await jit.runProgram();
  const answers = said
    .trim()
    .split('\n')
    .filter((line) => !line.startsWith('#'));
  t.true(answers.length > 80);
  t.deepEqual(
    answers.filter((line) => !line.endsWith(': EPERM')),
    [],
  );
});
