import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import test from 'ava';
import { findClang } from '#compiler/src/frontends/llvm/find-clang.js';
import { findLibLLVM } from '#compiler/src/llvm/find-libllvm.js';
import { Builder } from './conformance/build.js';
import { compareOutcomes } from './conformance/check.js';
import { EndlessError, runCommand } from './conformance/commands.js';
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
  const builder = new Builder(clang, directory);
  // A folder each.
  for (const subject of new Set(suite.programs.map(({ name }) => dirname(name))))
    test.serial(`programs end under FarJIT as they end natively: ${subject}`, async (t) => {
      const programs = suite.programs.filter(({ name }) => dirname(name) === subject);
      const { checked } = await runSuite({ ...suite, programs }, MODES, { builder, farjit: await farjit });
      t.deepEqual(
        checked.flatMap((one) => failuresOf(suite, one)),
        [],
      );
    });

  test.serial('what is otherwise, or is listed as otherwise and is not, is found', async (t) => {
    const named = (name: string) => suite.programs.filter((program) => program.name === name);
    const [forks, exits] = [...named('basics/no-process'), ...named('basics/exit-codes')];
    if (!forks || !exits) return t.fail('the programs have other names');
    const programs = [
      { ...forks, knownDifference: undefined },
      { ...exits, knownDifference: 'nothing is' },
      { ...exits, name: 'basics/broken', flags: ['-DNULL=', '-Dmain='] },
    ];
    const { checked } = await runSuite({ ...suite, programs }, [{ eager: false }], {
      builder,
      farjit: await farjit,
    });
    const [forked, listed, broken] = checked.map((one) => failuresOf(suite, one).join('\n'));
    t.regex(forked ?? '', /^basics\/no-process, lazy: stdout line 1 is "no fork \d+", natively "forked 3"$/);
    t.is(listed, 'basics/exit-codes: it is right now, and is listed as otherwise: nothing is');
    t.regex(broken ?? '', /^basics\/broken does not run natively: /);
  });

  test.serial('what does not end in its time is checked once more, and told of once', async (t) => {
    const impatient = await FarJIT.start(1, { deadlineMs: 100 });
    t.teardown(() => impatient.stop());
    const source = join(directory, 'slow.c');
    writeFileSync(source, '#include <unistd.h>\nint main() { usleep(400000); return 0; }');
    const [hello] = suite.programs.filter(({ name }) => name === 'basics/hello');
    if (!hello) return t.fail('the programs have other names');
    const slow = { ...hello, name: 'slow', sources: [{ path: source, language: 'c' as const }] };
    let checkedCount = 0;
    const runOthers = async () => {
      checkedCount++;
      return [];
    };
    const told: string[] = [];
    const { checked } = await runSuite(
      { ...suite, programs: [slow] },
      [{ eager: false }],
      { builder, farjit: impatient, runOthers },
      { onChecked: ({ program }) => void told.push(program.name) },
    );
    t.is(checkedCount, 2);
    t.deepEqual(told, ['slow']);
    t.regex(checked.flatMap((one) => failuresOf(suite, one)).join('\n'), /^slow, lazy: DEADLINE_EXCEEDED/);
  });
}

test('a command may run for a time of its own, and wait for longer', async (t) => {
  const limits = { timeoutMs: 60_000, cpuMs: 200 };
  await t.throwsAsync(runCommand('sh', ['-c', 'while :; do :; done'], limits), {
    instanceOf: EndlessError,
    message: 'sh has not ended after running for 200 ms',
  });
  t.is((await runCommand('sleep', ['1'], limits)).exitCode, 0);
  await t.throwsAsync(runCommand('sleep', ['60'], { timeoutMs: 100 }), { instanceOf: EndlessError });
});

test('outcomes are compared by exit code and stream, but for lines of FarJIT’s own', (t) => {
  const native = { exitCode: 3, stdout: 'a\nb\n', stderr: 'x\n' };
  t.deepEqual(compareOutcomes(native, { ...native, stderr: 'farjit: a remark\nx\n' }), []);
  t.deepEqual(compareOutcomes(native, { exitCode: 4, stdout: 'a\nc\n', stderr: '' }), [
    'exit code 4, natively 3',
    'stdout line 2 is "c", natively "b"',
    'stderr line 1 is "", natively "x"',
  ]);
  t.deepEqual(compareOutcomes(native, { ...native, stdout: 'a\nb\n\n' }), [
    'stdout line 4 is "", natively not there',
  ]);
});
