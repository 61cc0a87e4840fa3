import { execFileSync } from 'node:child_process';
import {
  chmodSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import test, { type ExecutionContext } from 'ava';
import { folder } from '#compiler/test/cache/folder.js';

const LOADER = readFileSync(new URL('../../../scripts/lib/bundle-loader.cjs', import.meta.url), 'utf8');

/** A bundle as it is where it was installed: without what a build's V8 has made of it. */
function installed(t: ExecutionContext, hash = 'abc') {
  const root = folder(t);
  const loader = join(root, 'command.cjs');
  writeFileSync(loader, LOADER.replace("BUNDLE_HASH = ''", `BUNDLE_HASH = '${hash}'`));
  writeFileSync(
    join(root, 'command.bundle.js'),
    '(function (exports) { exports.answer = () => 42; exports.answer(); })',
  );
  const home = join(root, 'home');
  mkdirSync(home);
  const caches = join(home, '.cache/farjit/code');
  /** Whether a run had a code cache; it keeps its own if it had none. */
  const run = (env: Record<string, string> = { HOME: home }, args: readonly string[] = []) => {
    const program = `const { answer, keepCodeCache } = require(${JSON.stringify(loader)});
      keepCodeCache?.();
      console.log(answer(), keepCodeCache === undefined);`;
    // Not by -e, which is an option of Node's, and options may be flags of V8's.
    const main = join(root, 'main.cjs');
    writeFileSync(main, program);
    const output = execFileSync(process.execPath, [...args, main], {
      encoding: 'utf8',
      timeout: 30_000,
      env,
    });
    t.regex(output, /^42 /);
    return output === '42 true\n';
  };
  return { root, home, caches, run };
}

test('what V8 has compiled is kept in the cache of the user, who alone can read and write it', (t) => {
  const { caches, run, home, root } = installed(t);
  t.false(run());
  const [name = ''] = readdirSync(caches);
  t.is(name, `command-${process.version}-abc.code-cache`);
  t.is(statSync(join(caches, name)).mode & 0o777, 0o600);
  t.is(statSync(caches).mode & 0o777, 0o700);
  t.true(run(), 'the next run has it');
  t.false(run({ HOME: home, XDG_CACHE_HOME: join(root, 'elsewhere') }), 'not where the user keeps another');
  t.true(run({}), 'nothing is kept where nobody says whose it would be');
});

test('a code cache that another could have written is not taken', (t) => {
  const { caches, run } = installed(t);
  run();
  const path = join(caches, readdirSync(caches)[0] ?? '');
  chmodSync(path, 0o620);
  t.false(run());
  chmodSync(caches, 0o770);
  t.false(run(), 'nor one in a folder in which others may put one');
  chmodSync(caches, 0o700);
  run();
  t.true(run());
  renameSync(path, `${path}.moved`);
  symlinkSync(`${path}.moved`, path);
  t.false(run(), 'nor a link');
});

test('another bundle takes no code cache of this one, and leaves none of it behind', (t) => {
  const { root, caches, run } = installed(t);
  run();
  const loader = join(root, 'command.cjs');
  writeFileSync(loader, readFileSync(loader, 'utf8').replace("'abc'", "'def'"));
  t.false(run());
  t.deepEqual(readdirSync(caches), [`command-${process.version}-def.code-cache`]);
});

test('flags of V8’s keep a run from leaving a code cache that is no use to others', (t) => {
  const { run, caches, home } = installed(t);
  run({ HOME: home }, ['--max-lazy']);
  t.throws(() => readdirSync(caches), { code: 'ENOENT' });
});
