// node smoke.mjs, in a folder with FarJIT installed, application.js and program.ks: uses the packages as people do, with this Node,
// and prints a line for each thing that it has tried, which begins with `ok` or `not ok`. It is run where nothing else of the
// project is.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';

const BIN = join(process.cwd(), 'node_modules/.bin');
const TIMEOUT_MS = 60_000;
// The commands take the Node that comes first.
const env = { ...process.env, PATH: `${dirname(process.execPath)}:${process.env.PATH}` };
const home = mkdtempSync(join(tmpdir(), 'farjit-smoke-'));
env.HOME = home;

function start(command, args) {
  const child = spawn(command, args, { env, stdio: ['ignore', 'pipe', 'pipe'], timeout: TIMEOUT_MS });
  const written = { stdout: '', stderr: '' };
  for (const name of ['stdout', 'stderr'])
    child[name].setEncoding('utf8').on('data', (text) => {
      written[name] += text;
    });
  const finished = once(child, 'close').then(([code, signal]) => ({ ...written, end: signal ?? code }));
  return { child, written, finished };
}

/** Whether a command ends well, prints what it should, and says nothing else. */
async function attempt(what, command, args, expected) {
  const { stdout, stderr, end } = await start(command, args).finished;
  const isRight = end === 0 && stderr === '' && expected.test(stdout);
  const words = isRight
    ? ''
    : `: ended with ${end}, ${JSON.stringify({ stdout: stdout.slice(-600), stderr })}`;
  console.log(`${isRight ? 'ok' : 'not ok'} ${what}${words}`);
  if (!isRight) process.exitCode = 1;
}

async function tryExecutor() {
  const tokens = join(home, 'tokens.yaml');
  const token = join(home, 'laptop.token');
  const made = await start(join(BIN, 'farjit-executor'), ['new-token', 'laptop']).finished;
  writeFileSync(tokens, made.stdout, { mode: 0o600 });
  writeFileSync(token, made.stderr, { mode: 0o600 });
  const server = start(join(BIN, 'farjit-executor'), [
    '--listen',
    'ws://127.0.0.1:0',
    '--token-file',
    tokens,
  ]);
  try {
    const until = Date.now() + TIMEOUT_MS;
    let url;
    while (url === undefined && server.child.exitCode === null && Date.now() < until) {
      url = /ws:\/\/127\.0\.0\.1:[1-9]\d*/.exec(server.written.stdout + server.written.stderr)?.[0];
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
    const access = ['--executor', url ?? 'none', '--token-file', token];
    await attempt(
      'a program on an executor with a token',
      join(BIN, 'farjit'),
      ['run', ...access, 'program.ks'],
      PRINTED,
    );
  } finally {
    server.child.kill('SIGTERM');
    await server.finished;
  }
}

const { version } = JSON.parse(readFileSync('node_modules/farjit/package.json', 'utf8'));
const PRINTED = /^42\.000000\nEvaluated to 0\.000000\n$/;
try {
  await attempt(
    'the command says its version',
    join(BIN, 'farjit'),
    ['--version'],
    new RegExp(`^${version}\n$`),
  );
  await attempt('a Kaleidoscope program', join(BIN, 'farjit'), ['run', 'program.ks'], PRINTED);
  await attempt('the same once more', join(BIN, 'farjit'), ['run', 'program.ks'], PRINTED);
  await attempt(
    'by Node alone',
    process.execPath,
    ['node_modules/farjit/bin/farjit.js', 'run', 'program.ks'],
    PRINTED,
  );
  await attempt('an application', process.execPath, ['application.js'], /^49\ntrue\n$/);
  await tryExecutor();
  await attempt('doctor', join(BIN, 'farjit'), ['doctor'], /All that is required is there\./);
} finally {
  rmSync(home, { recursive: true, force: true });
}
