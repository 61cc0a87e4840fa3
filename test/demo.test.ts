import { execFile } from 'node:child_process';
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import test from 'ava';

const ROOT = fileURLToPath(new URL('../../', import.meta.url));
const run = promisify(execFile);
const BUILD = "await (await import('./scripts/lib/build.mjs')).buildCommand();";
const MADE_BY_BUILDS = new Set(['node_modules', 'dist', '.git', 'images', 'fuzz-findings']);

interface LockedPackage {
  readonly dev?: boolean;
  readonly devOptional?: boolean;
  readonly optional?: boolean;
  readonly link?: boolean;
  readonly resolved?: string;
}

/** The project's sources in a folder of their own, with the packages that `npm ci --omit=dev --omit=optional` installs. */
function freshClone(folder: string): void {
  for (const name of ['package.json', 'LICENSE', 'scripts', 'packages', 'examples'])
    cpSync(join(ROOT, name), join(folder, name), {
      recursive: true,
      filter: (path) => !MADE_BY_BUILDS.has(basename(path)),
    });
  for (const name of ['tsconfig.base.json', 'package-lock.json'])
    cpSync(join(ROOT, name), join(folder, name));
  const { packages } = JSON.parse(readFileSync(join(ROOT, 'package-lock.json'), 'utf8')) as {
    packages: Record<string, LockedPackage>;
  };
  for (const [path, { dev, link, devOptional, optional, resolved }] of Object.entries(packages)) {
    if (!/^node_modules\/(@[^/]+\/)?[^/]+$/.test(path) || dev || devOptional || optional) continue;
    mkdirSync(dirname(join(folder, path)), { recursive: true });
    symlinkSync(link && resolved ? join(folder, resolved) : join(ROOT, path), join(folder, path));
  }
}

/** Runs a command whatever it ends with. */
async function outputOf(
  program: string,
  args: readonly string[],
  options: { cwd: string; env: NodeJS.ProcessEnv },
) {
  const ended: { stdout: string; stderr: string } = await run(program, args, options).catch((error) => error);
  return ended.stdout + ended.stderr;
}

test('the demo builds a command that runs, of what it installs: without tsc, llvm-bindings and all that tests use', async (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'farjit-demo-'));
  t.teardown(() => rmSync(folder, { recursive: true, force: true }));
  freshClone(folder);
  t.timeout(180_000);
  const env = { ...process.env, XDG_CACHE_HOME: join(folder, 'cache'), HOME: folder };
  await run(process.execPath, ['--input-type=module', '-e', BUILD], { cwd: folder, env });
  const farjit = join(folder, 'packages/compiler/dist/launcher/farjit');
  const { stdout, stderr } = await run(farjit, ['run', 'examples/fib.ks'], { cwd: folder, env });
  t.regex(stdout, /^Evaluated to \d/m);
  t.is(stderr, '');
  // Also where no launcher has started an executor.
  const command = ['packages/compiler/bin/farjit.js', 'run', '--no-cache', 'examples/fib.ks'];
  t.is((await run(process.execPath, command, { cwd: folder, env })).stdout, stdout);
  t.regex(await outputOf(farjit, ['doctor'], { cwd: folder, env }), /^ok {4}ffi-rs/m);

  // An image of the compiler is built of the same, and holds no executor.
  await run(process.execPath, ['scripts/build-images.mjs'], { cwd: folder, env });
  const image = mkdtempSync(join(tmpdir(), 'farjit-image-'));
  t.teardown(() => rmSync(image, { recursive: true, force: true }));
  cpSync(join(folder, 'images/compiler'), image, { recursive: true });
  const doctor = [join(image, 'packages/compiler/bin/farjit.js'), 'doctor'];
  const said = await outputOf(process.execPath, doctor, { cwd: image, env });
  t.regex(said, /^ok {4}libLLVM .* is used/m);
  t.regex(said, /^ok {4}ffi-rs/m);
  t.regex(said, /^fail {2}no runner at @farjit\/executor\/\S+: nothing runs here, and executors elsewhere/m);
});
