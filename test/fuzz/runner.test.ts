import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import test from 'ava';
import { REGRESSIONS } from './corpus.js';
import { fuzz, shareAccepted } from './fuzzer.js';
import { describeReport } from './report.js';
import { buildPayload } from './runner/payload.js';
import { SEEDS } from './runner/seeds.js';
import { hostileRunner, RunnerTarget } from './targets/runner.js';

/** Inputs that once went wrong, by the names of their files. */
function regressions(): [string, Uint8Array][] {
  const folder = join(REGRESSIONS, hostileRunner.name);
  const files = existsSync(folder) ? readdirSync(folder).sort() : [];
  return files.map((file) => [file, new Uint8Array(readFileSync(join(folder, file)))]);
}

test.serial('runner: what hostile programs are known to try breaks nothing', async (t) => {
  const target = new RunnerTarget(await buildPayload());
  t.teardown(() => target.close());
  for (const [name, input] of [...Object.entries(SEEDS), ...regressions()])
    await t.notThrowsAsync(async () => target.run(input), name);
});

test.serial(`runner: ${hostileRunner.shortInputs} random programs break nothing`, async (t) => {
  const target = await hostileRunner.create();
  t.teardown(() => target.close?.());
  const report = await fuzz(target, { seed: 1, inputs: hostileRunner.shortInputs });
  t.log(describeReport(report));
  t.is(report.finding, undefined, report.finding?.error.stack);
  t.true(shareAccepted(report) > 0.9);
  t.true(
    [...report.outcomes.values()].slice(1).every((count) => count > 0),
    describeReport(report),
  );
});
