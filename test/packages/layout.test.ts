import { execFileSync } from 'node:child_process';
import {
  cpSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  realpathSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test from 'ava';

const PACKING = new URL('../../../scripts/lib/packages/', import.meta.url);
/** Maps, sources, and what builds and tests leave behind. */
const LEFT_OUT = /\.map$|\.code-cache$|\.tsbuildinfo$|(^|\/)(obj|test)\/|\.[cSh]$|(?<!\.d)\.ts$/;

interface Staged {
  readonly name: string;
  readonly stage: string;
}

interface Manifest {
  readonly exports?: Readonly<Record<string, string | { readonly types: string; readonly default: string }>>;
  readonly [field: string]: unknown;
}

const { stagePackages } = (await import(new URL('pack.mjs', PACKING).href)) as {
  stagePackages(folder: string): Promise<readonly Staged[]>;
};
const { isNewer, neededGlibc, OLDEST_GLIBC } = (await import(new URL('older-glibc.mjs', PACKING).href)) as {
  isNewer(version: readonly number[], other: readonly number[]): boolean;
  neededGlibc(program: string): readonly number[];
  OLDEST_GLIBC: readonly number[];
};

let stages = '';
let staged: readonly Staged[] = [];
test.before('the packages are laid out', async () => {
  stages = mkdtempSync(join(tmpdir(), 'farjit-stages-'));
  staged = await stagePackages(stages);
});
test.after.always('and removed', () => rmSync(stages, { recursive: true, force: true }));

test('the packages hold what they say, and nothing that the project alone has a use for', (t) => {
  t.deepEqual(staged.map(({ name }) => name).sort(), [
    '@farjit/compiler',
    '@farjit/executor',
    '@farjit/linux-x64-gnu',
    '@farjit/protocol',
    'farjit',
  ]);
  for (const { name, stage } of staged) {
    const files = filesIn(stage);
    const leftOver = files.filter((file) => LEFT_OUT.test(file));
    t.deepEqual(leftOver, [], name);
    for (const file of ['LICENSE', 'README.md']) t.true(files.includes(file), `${name} has ${file}`);
    // The command's package alone has nothing of others inside.
    t.is(files.includes('THIRD-PARTY-NOTICES.md'), name !== 'farjit', name);
    for (const file of files.filter((path) => path.endsWith('.js')))
      t.notRegex(readFileSync(join(stage, file), 'latin1'), /^\/\/# sourceMappingURL=/m, `${name}: ${file}`);
    const manifest = JSON.parse(readFileSync(join(stage, 'package.json'), 'utf8')) as Manifest;
    for (const field of ['repository', 'keywords', 'engines', 'license', 'description'])
      t.truthy(manifest[field], `${name} says its ${field}`);
    t.false('scripts' in manifest, `nothing of ${name} runs when it is installed`);
    const targets = Object.values(manifest.exports ?? {}).flatMap((entry) =>
      typeof entry === 'string' ? [entry] : Object.values(entry),
    );
    for (const target of targets)
      t.true(files.includes(target.replace('./', '')), `${name} exports ${target}`);
  }
});

test('the packed programs need no glibc that is newer than Debian 11’s, no libseccomp, and start', (t) => {
  const bin = join(staged.find(({ name }) => name === '@farjit/linux-x64-gnu')?.stage ?? '', 'bin');
  t.deepEqual(readdirSync(bin).sort(), [
    'farjit',
    'farjit-codegen',
    'farjit-confine',
    'farjit-launch',
    'farjit-runner',
  ]);
  for (const name of readdirSync(bin)) {
    const program = join(bin, name);
    const needed = neededGlibc(program);
    t.false(isNewer(needed, OLDEST_GLIBC), `${name} needs glibc ${needed.join('.')}`);
    const headers = execFileSync('objdump', ['-p', program], { encoding: 'utf8', timeout: 10_000 });
    t.notRegex(headers, /NEEDED +libseccomp/, name);
    t.is(statSync(program).mode & 0o111, 0o111, name);
  }
  for (const name of ['farjit-codegen', 'farjit-runner'])
    t.notThrows(() => execFileSync(join(bin, name), ['--version'], { timeout: 10_000 }), name);
});

test('the installed command becomes the compiler at once, with an executor beside it', (t) => {
  const project = mkdtempSync(join(tmpdir(), 'farjit-project-'));
  t.teardown(() => rmSync(project, { recursive: true, force: true }));
  const modules = join(project, 'node_modules');
  for (const { name, stage } of staged) cpSync(stage, join(modules, name), { recursive: true });
  mkdirSync(join(modules, '.bin'));
  symlinkSync('../farjit/bin/farjit', join(modules, '.bin/farjit'));
  // In Node's place, something that says what it was to run; the executor has no standard output.
  const path = join(project, 'path');
  mkdirSync(path);
  writeFileSync(join(path, 'node'), '#!/bin/sh\necho "$@"\n', { mode: 0o755 });
  const env = { ...process.env, PATH: `${path}:${process.env.PATH}` };
  const started = execFileSync(join(modules, '.bin/farjit'), ['run', 'a.ks'], {
    env,
    encoding: 'utf8',
    timeout: 10_000,
  });
  const [program, adopted, ...more] = started.trim().split(' ');
  t.is(program, join(realpathSync(modules), '@farjit/compiler/bin/farjit.js'));
  t.regex(adopted ?? '', /^--adopt-executor=\d+:\d+$/);
  t.deepEqual(more, ['run', 'a.ks']);
});

/** What npm puts into a package's tarball. */
function filesIn(stage: string): string[] {
  const args = ['pack', '--dry-run', '--json', '--ignore-scripts'];
  const output = execFileSync('npm', args, { cwd: stage, encoding: 'utf8', timeout: 60_000 });
  const [packed] = JSON.parse(output) as { files: { path: string }[] }[];
  return (packed?.files ?? []).map(({ path }) => path);
}
