import { execFile } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import test from 'ava';
import { fencesOf } from './fences.js';

const ROOT = fileURLToPath(new URL('../../', import.meta.url));
const run = promisify(execFile);

/** As an application has it that takes TypeScript seriously. */
const TSCONFIG = {
  extends: join(ROOT, 'tsconfig.base.json'),
  compilerOptions: { composite: false, declaration: false, sourceMap: false, outDir: 'out', rootDir: '.' },
  files: ['example.ts'],
};

// The examples are in C. `npm run setup` installs clang where it can.
const testWithClang = existsSync('/usr/bin/clang-14') ? test : test.skip;

for (const document of ['README.md', 'packages/farjit/README.md'])
  testWithClang(
    `the example of ${document} compiles as it stands, and prints what is below it`,
    async (t) => {
      t.timeout(120_000);
      const fences = fencesOf(readFileSync(join(ROOT, document), 'utf8'));
      const example = fences.find(({ mark }) => mark === 'example');
      const shown = fences.find(({ mark }) => mark === 'output of the example');
      if (!example || !shown) return t.fail('there is none');
      // Inside of the project, where packages are found by name.
      const folder = mkdtempSync(fileURLToPath(new URL('readme-example-', import.meta.url)));
      t.teardown(() => rmSync(folder, { recursive: true, force: true }));
      writeFileSync(join(folder, 'example.ts'), `${example.lines.join('\n')}\n`);
      writeFileSync(join(folder, 'tsconfig.json'), JSON.stringify(TSCONFIG));
      await run(process.execPath, [join(ROOT, 'node_modules/.bin/tsc'), '-p', folder]);
      const env = { ...process.env, XDG_CACHE_HOME: join(folder, 'cache') };
      const { stdout, stderr } = await run(process.execPath, [join(folder, 'out/example.js')], { env });
      t.is(stdout.trimEnd(), shown.lines.join('\n'));
      t.is(stderr, '');
    },
  );
