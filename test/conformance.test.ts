import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import test from 'ava';
import { findClang } from '#compiler/src/frontends/llvm/find-clang.js';
import { findLibLLVM } from '#compiler/src/llvm/find-libllvm.js';
import { Builder } from './conformance/build.js';
import { FarJIT } from './conformance/farjit.js';
import type { Mode } from './conformance/program.js';
import { failuresOf, runSuite } from './conformance/run-suite.js';
import { ownSuite } from './conformance/suites/own.js';

/** The two that differ most; `npm run test:conformance` has all. */
const MODES: readonly Mode[] = [{ eager: false }, { eager: true, optLevel: 0 }];

/** `npm run setup` installs it where it can. */
const clang = ((): string | undefined => {
  try {
    return findClang(findLibLLVM().path);
  } catch {
    return undefined;
  }
})();

if (clang === undefined) test('skipped without a clang: apt-get install clang-14', (t) => t.pass());
else {
  const directory = mkdtempSync(join(tmpdir(), 'farjit-conformance-'));
  const farjit = FarJIT.start(1);
  test.after.always(async () => {
    await (await farjit).stop();
    rmSync(directory, { recursive: true, force: true });
  });
  const suite = ownSuite();
  // A folder each.
  for (const subject of new Set(suite.programs.map(({ name }) => dirname(name))))
    test.serial(`programs end under FarJIT as they end natively: ${subject}`, async (t) => {
      const programs = suite.programs.filter(({ name }) => dirname(name) === subject);
      const context = { builder: new Builder(clang, directory), farjit: await farjit };
      const { checked } = await runSuite({ ...suite, programs }, MODES, context);
      t.deepEqual(
        checked.flatMap((one) => failuresOf(suite, one)),
        [],
      );
    });
}
