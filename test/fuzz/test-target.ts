import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import test from 'ava';
import { REGRESSIONS } from './corpus.js';
import { fuzz, shareAccepted } from './fuzzer.js';
import { describeReport } from './report.js';
import type { TargetFactory } from './target.js';

/** A share of the inputs that at least gets past the first validator. */
const LEAST_SHARE = 0.3;
/** Inputs after which a planted bug must have been found. */
const PLANTED_INPUTS = 30_000;

/**
 * A short run, a planted bug that is found, and what once went wrong. One at a time: a target that never waits would keep
 * the others' timers from firing.
 */
export function testTarget(factory: TargetFactory): void {
  test.serial(
    `${factory.name}: ${factory.shortInputs} random inputs break nothing, and enough of them get inside`,
    async (t) => {
      const target = await factory.create();
      const report = await fuzz(target, { seed: 1, inputs: factory.shortInputs });
      await target.close?.();
      t.is(report.finding, undefined, report.finding?.error.stack);
      t.is(report.inputs, factory.shortInputs);
      t.true(shareAccepted(report) >= LEAST_SHARE, describeReport(report));
      // Inputs that get everywhere: the last stage too.
      t.true(
        [...report.outcomes.values()].slice(1).every((count) => count > 0),
        describeReport(report),
      );
    },
  );

  test.serial(`${factory.name}: a planted bug is found, and its input made small`, async (t) => {
    const target = await factory.create({ planted: true });
    const report = await fuzz(target, { seed: 1, inputs: PLANTED_INPUTS });
    const { finding } = report;
    if (!finding) return t.fail(describeReport(report));
    t.log(`input ${finding.index}, ${finding.input.byteLength} bytes: ${finding.error.message}`);
    // The same input fails again, and the target without the bug takes it.
    await t.throwsAsync(async () => target.run(finding.input.slice()));
    await target.close?.();
    const sound = await factory.create();
    await t.notThrowsAsync(async () => sound.run(finding.input.slice()));
    await sound.close?.();
  });

  const folder = join(REGRESSIONS, factory.name);
  for (const file of existsSync(folder) ? readdirSync(folder).sort() : [])
    test.serial(`${factory.name}: ${file} breaks nothing any more`, async (t) => {
      const target = await factory.create();
      await t.notThrowsAsync(async () => target.run(new Uint8Array(readFileSync(join(folder, file)))));
      await target.close?.();
    });
}
