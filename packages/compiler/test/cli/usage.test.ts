import { execFileSync } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import test from 'ava';
import { EXAMPLES, FARJIT, FARJIT_JS, farjit, folderWith, start } from './run-farjit.js';

const WRONG: readonly [string[], RegExp][] = [
  [[], /^Usage: farjit /],
  [['fly'], /unknown command 'fly'/],
  [['rum', 'x.ks'], /Did you mean run\?/],
  [['run'], /missing required argument 'file'/],
  [['run', 'a.ks', 'b.ks'], /too many arguments: a\.ks and b\.ks are Kaleidoscope, .* stands behind --/],
  [['run', '-O7', 'a.ks'], /-O.*'7' is invalid.*0, 1, 2, 3/],
  [['run', '-O', 'a.ks'], /'a\.ks' is invalid/],
  [['run', '-e', ' '], /--eval.*' ' is invalid\. It is empty/],
  [['run', '-e', '1', 'a.ks'], /too many programs: there is one in --eval, and a\.ks is Kaleidoscope too/],
  [['-e'], /'-e, --eval <expr>' argument missing/],
  [['--bogus'], /unknown option '--bogus'/],
  [['run', '--stats=xml', 'a.ks'], /--stats.*'xml' is invalid.*summary, json/],
  [['run', '--deadline', '0', 'a.ks'], /--deadline.*'0' is invalid/],
  [['run', '--codegen-processes', '0', 'a.ks'], /--codegen-processes.*'0' is invalid/],
  [['run', '--codegen-limit', '0', 'a.ks'], /--codegen-limit.*'0' is invalid/],
  [['run', '--deadline=1.5', 'a.ks'], /--deadline.*'1\.5' is invalid/],
  [['run', '--deadline', '3000000000', 'a.ks'], /--deadline.*is invalid/],
  [['run', '--sandbox=loose', 'a.ks'], /--sandbox.*'loose' is invalid.*strict, default, off/],
  [['run', '--sandbox-required', 'much', 'a.ks'], /--sandbox-required.*'much' is invalid/],
  [['run', '--limit', 'speed=1', 'a.ks'], /--limit.*expected NAME=VALUE with one of address-space, /],
  [['run', '--limit', 'cpu=5M', 'a.ks'], /--limit.*expected a whole number of seconds, or none/],
  [
    ['run', '--limit', 'memory=1', 'a.ks'],
    /^farjit: error: .*--limit.*'memory=1' is invalid\. A runner needs at least memory=16M\.\n$/,
  ],
  [
    ['run', '--limit', 'cpu=5', '--executor', 'ws+unix:x', 'a.ks'],
    /--limit.*cannot be used with.*--executor/,
  ],
  [['repl', '--sandbox=off', '--executor', 'ws+unix:x'], /--sandbox.*cannot be used with.*--executor/],
  [['run', '--token-file=t', 'a.ks'], /'--token-file <file>' is for an executor elsewhere: give --executor/],
  [['repl', '--tls-ca=c'], /'--tls-ca <file>' is for an executor elsewhere/],
  [
    ['map', 'f', 'a.ks', '--input=a.csv', '--executors-local=2', '--tls-cert=c', '--tls-key=k'],
    /'--tls-cert <file>' is for an executor elsewhere/,
  ],
  [['run', '--executor-owner=1000', 'a.ks'], /'--executor-owner <uid>' is for an executor elsewhere/],
  [['run', '--executor-owner=me', '--executor=ws+unix:x', 'a.ks'], /--executor-owner.*'me' is invalid/],
  [['run', '--cache-dir=', 'a.ks'], /--cache-dir.*'' is invalid\. It is empty/],
  [['cache', 'info', '--cache-dir='], /--cache-dir.*'' is invalid\. It is empty/],
  [['run', '--entry=', 'a.c'], /--entry.*'' is invalid\. It is empty/],
  [['run', '--file=a', 'a.c'], /--file.*'a' is invalid\. It must be HOST:GUEST, and GUEST an absolute path/],
  [['run', '--dir=a:b', 'a.c'], /--dir.*'a:b' is invalid/],
  [['run', '-l', '', 'a.c'], /--library.*'' is invalid\. It is empty/],
  [['run', '--colour', 'a.ks'], /unknown option '--colour'/],
  [['repl', 'a.ks'], /too many arguments/],
  [['repl', '--executor=ws+unix:a', '--executor=ws+unix:b'], /--executor.*This command works with one/],
  [['doctor', '--stats'], /unknown option/],
  [['map', 'f', 'a.ks'], /required option '--input <data>' not specified/],
  [
    ['map', 'f', 'a.ks', '--input', 'data.txt'],
    /--input.*'data\.txt' is invalid\. It must end in \.csv or \.f64/,
  ],
  [['map', 'f', 'a.ks', '--input=a.csv', '--output=b'], /--output.*'b' is invalid/],
  [['map', 'f', '-', '--input=-'], /standard input is the program, and cannot be the data too/],
  [['completion', 'csh'], /'csh' is invalid.*bash, zsh, fish/],
  [['map', 'f', 'a.ks', '--input=a.csv', '--chunk=0'], /--chunk.*whole number from 1 to 2000000/],
  [['map', 'f', 'a.ks', '--input=a.csv', '--executors-local=65'], /--executors-local.*from 1 to 64/],
];

for (const [args, message] of WRONG)
  test.serial(`farjit ${args.join(' ')} is refused with exit code 2 and words`, async (t) => {
    const { end, stdout, stderr } = await farjit(t, args);
    t.is(end, 2);
    t.is(stdout, '');
    t.regex(stderr, message);
    if (args.length > 0) t.regex(stderr, /^farjit: error: /);
  });

test.serial('--version prints the version of the package', async (t) => {
  const manifest = JSON.parse(await readFile(new URL('../../../package.json', import.meta.url), 'utf8'));
  t.deepEqual(await farjit(t, ['--version']), { end: 0, stderr: '', stdout: `${manifest.version}\n` });
});

test.serial('--help lists commands and options, and says what the exit codes mean', async (t) => {
  const program = await farjit(t, ['--help']);
  t.is(program.end, 0);
  for (const command of ['run', 'repl', 'map', 'doctor'])
    t.regex(program.stdout, new RegExp(`^  ${command} `, 'm'));
  const run = await farjit(t, ['run', '--help']);
  t.is(run.end, 0);
  for (const option of ['--executor <url>', '-O, --opt-level <level>', '--stats [=json]', '--deadline <ms>'])
    t.true(run.stdout.includes(option), option);
  t.regex(run.stdout, /Exit code:/);
});

/** Writes what the compiler has mapped when it ends. */
const MAPS_AT_EXIT = `process.on('exit', () => {
  if (!process.argv[1].endsWith('/farjit.js')) return;
  const { readFileSync, writeFileSync } = require('node:fs');
  writeFileSync(process.env.MAPS_FILE, readFileSync('/proc/self/maps'));
});`;

test.serial('neither LLVM nor ffi-rs is loaded to show help or to find a syntax error', async (t) => {
  const folder = await folderWith(t, { 'hook.cjs': MAPS_AT_EXIT, 'bad.ks': 'def', 'good.ks': '1;' });
  const mapsFile = join(folder, 'maps');
  const env = { NODE_OPTIONS: `--require ${join(folder, 'hook.cjs')}`, MAPS_FILE: mapsFile };
  const mapped = async (command: readonly string[], ...args: string[]) => {
    await start(t, args, { env, cwd: folder, command }).finished;
    const maps = await readFile(mapsFile, 'utf8');
    return { llvm: /libLLVM/.test(maps), bindings: /llvm-bindings/.test(maps), ffi: /ffi-rs/.test(maps) };
  };
  const nothing = { llvm: false, bindings: false, ffi: false };
  t.deepEqual(await mapped([process.execPath, FARJIT_JS], '--help'), nothing);
  t.deepEqual(await mapped([process.execPath, FARJIT_JS], 'run', 'bad.ks'), nothing);
  // The launcher has started an executor, and to learn that it has ended takes ffi-rs.
  t.deepEqual(await mapped([FARJIT], 'run', 'bad.ks'), { ...nothing, ffi: true });
});

test.serial('the check for loaded libraries finds them where they are loaded', (t) => {
  const url = (path: string) => JSON.stringify(new URL(path, import.meta.url).href);
  const source = `await import(${url('../../src/frontends/kaleidoscope/kaleidoscope-jit.js')});
    (await import(${url('../../src/llvm/llvm-bindings.js')})).loadBindings();
    const maps = (await import('node:fs')).readFileSync('/proc/self/maps', 'utf8');
    console.log(/llvm-bindings/.test(maps), /ffi-rs/.test(maps));`;
  const args = ['--input-type=module', '-e', source];
  t.is(execFileSync(process.execPath, args, { cwd: EXAMPLES, encoding: 'utf8' }), 'true true\n');
});

test.serial('doctor answers with an exit code and a report', async (t) => {
  const { end, stdout } = await farjit(t, ['doctor']);
  t.is(end, 0);
  t.regex(stdout, /Node/);
});
