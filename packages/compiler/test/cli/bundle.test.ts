import { execFile } from 'node:child_process';
import { copyFile, mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { Script } from 'node:vm';
import test, { type ExecutionContext } from 'ava';
import { FARJIT_JS, folderWith, start } from './run-farjit.js';

const BUNDLES = [
  fileURLToPath(new URL('../../bundle/farjit', import.meta.url)),
  fileURLToPath(new URL('../bundle/farjit-executor', import.meta.resolve('@farjit/executor'))),
];
const MANIFEST = fileURLToPath(new URL('../../../package.json', import.meta.url));

for (const bundle of BUNDLES)
  test(`V8 takes the code cache of ${bundle.split('/').at(-1)}`, async (t) => {
    const filename = `${bundle}.bundle.js`;
    const source = await readFile(filename, 'latin1');
    const script = new Script(source, { filename, cachedData: await readFile(`${bundle}.code-cache`) });
    t.false(script.cachedDataRejected);
    t.false(/[^\0-\x7f]/.test(source), 'it is read as one byte a character');
  });

test('errors keep the names of their classes, which nothing else in a bundle does', async (t) => {
  const source = await readFile(`${BUNDLES[0]}.bundle.js`, 'latin1');
  for (const name of ['FarJITError', 'LinkError', 'RunnerLostError', 'SourceError'])
    t.regex(source, new RegExp(`extends [\\w$]+\\{static name="${name}"`));
  t.false(/class LinkError/.test(source));
});

/** Prints which of a command's scripts were loaded. */
const LOADED_AT_EXIT = `process.on('exit', () => {
  const files = Object.keys(require.cache).filter((file) => file.endsWith('.cjs'));
  process.stderr.write(files.join());
});`;

test('the command runs its bundle', async (t) => {
  const folder = await folderWith(t, { 'hook.js': LOADED_AT_EXIT });
  const env = { NODE_OPTIONS: `--require ${join(folder, 'hook.js')}` };
  const command = [process.execPath, FARJIT_JS];
  t.is((await start(t, ['--version'], { command, env }).finished).stderr, `${BUNDLES[0]}.cjs`);
});

/** The built command in a folder where it can be damaged. */
async function copyOf(t: ExecutionContext): Promise<string> {
  const folder = await folderWith(t);
  const copy = join(folder, 'dist/bundle/farjit');
  await mkdir(join(folder, 'dist/bundle'), { recursive: true });
  await mkdir(join(folder, 'bin'));
  for (const end of ['.cjs', '.bundle.js', '.code-cache']) await copyFile(`${BUNDLES[0]}${end}`, copy + end);
  for (const file of ['farjit.js', 'v8-flags.js'])
    await copyFile(join(dirname(FARJIT_JS), file), join(folder, 'bin', file));
  await copyFile(MANIFEST, join(folder, 'package.json'));
  await writeFile(join(folder, 'bin/package.json'), '{ "type": "commonjs" }');
  return folder;
}

const DAMAGES: readonly [string, (path: string) => Promise<void>][] = [
  ['is missing', (path) => rm(path)],
  ['is empty', (path) => writeFile(path, '')],
  ['is something else', (path) => writeFile(path, 'x'.repeat(1000))],
  [
    'is cut short',
    async (path) => {
      const whole = await readFile(path);
      await writeFile(path, whole.subarray(0, whole.byteLength / 2));
    },
  ],
];
for (const [what, damage] of DAMAGES)
  test(`a code cache that ${what} is done without`, async (t) => {
    const folder = await copyOf(t);
    await damage(join(folder, 'dist/bundle/farjit.code-cache'));
    const { stdout } = await promisify(execFile)(process.execPath, [
      join(folder, 'bin/farjit.js'),
      '--version',
    ]);
    t.is(stdout, `${JSON.parse(await readFile(MANIFEST, 'utf8')).version}\n`);
  });

test('a command that was not built says how to', async (t) => {
  const folder = await copyOf(t);
  await rm(join(folder, 'dist'), { recursive: true });
  const command = [process.execPath, join(folder, 'bin/farjit.js')];
  t.deepEqual(await start(t, ['--version'], { command }).finished, {
    stdout: '',
    stderr: 'farjit: error: it is not built yet; run `npm run build` first\n',
    end: 1,
  });
});
