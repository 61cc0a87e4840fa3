import { execFile } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import test from 'ava';

const ROOT = fileURLToPath(new URL('../../', import.meta.url));
const run = promisify(execFile);

// `npm run setup` installs clang where it can.
const testWithClang = existsSync('/usr/bin/clang-14') ? test : test.skip;

testWithClang(
  'examples/typescript type-checks as it stands, and survives what its formulas do',
  async (t) => {
    t.timeout(120_000);
    // Inside of the project, where packages are found by name.
    const folder = mkdtempSync(join(ROOT, 'test/examples-'));
    t.teardown(() => rmSync(folder, { recursive: true }));
    const source = readFileSync(join(ROOT, 'examples/typescript/formulas.ts'), 'utf8');
    writeFileSync(join(folder, 'formulas.ts'), source);
    const config = {
      extends: join(ROOT, 'tsconfig.base.json'),
      compilerOptions: {
        composite: false,
        declaration: false,
        sourceMap: false,
        outDir: 'out',
        rootDir: '.',
      },
      files: ['formulas.ts'],
    };
    writeFileSync(join(folder, 'tsconfig.json'), JSON.stringify(config));
    await run(process.execPath, [join(ROOT, 'node_modules/.bin/tsc'), '-p', folder]);
    const { stdout, stderr } = await run(process.execPath, [join(folder, 'out/formulas.js')]);
    t.deepEqual(stdout.trimEnd().split('\n'), [
      '5',
      "use of undeclared identifier 'z'",
      'DEADLINE_EXCEEDED: endless did not return within 3000 ms; its runner was ended',
      '10',
    ]);
    t.is(stderr, '');
  },
);

test('examples/add-module.mjs adds what it has built with llvm-bindings', async (t) => {
  const { stdout, stderr } = await run(process.execPath, [join(ROOT, 'examples/add-module.mjs')]);
  t.is(stdout, "{ result: 'i32', parameters: [ 'i32', 'i32' ] } 25\n");
  t.is(stderr, '');
});
