import test from 'ava';
import { fuzz } from '../fuzz/fuzzer.js';
import { describeReport } from '../fuzz/report.js';
import { FAULTS } from '../fuzz/runner/faults.js';
import { checkFault, makeMutant } from '../fuzz/runner/mutant.js';
import { buildPayload } from '../fuzz/runner/payload.js';
import { HEADER_BYTES, OPERATION_BYTES } from '../fuzz/runner/program.js';
import { SEEDS } from '../fuzz/runner/seeds.js';
import { Violation } from '../fuzz/target.js';
import { hostileRunner, RunnerTarget } from '../fuzz/targets/runner.js';
import { rounds } from './length.js';

const PROGRAMS = rounds(5, 5000);
const FAULT_COUNT = rounds(1, Object.keys(FAULTS).length);
const MINIMIZED_COUNT = rounds(0, 1);
const MAX_RUNS = 20;
const LONG_MS = 3 * 60 * 60 * 1000;

test.serial('random programs in a runner, beside a neighbour that never notices', async (t) => {
  t.timeout(LONG_MS);
  const target = await hostileRunner.create();
  t.teardown(() => target.close?.());
  const report = await fuzz(target, { seed: 2, inputs: PROGRAMS });
  t.log(describeReport(report));
  t.is(report.finding, undefined, report.finding?.error.stack);
});

// It takes a minute, in which a host is started tens of times.
for (const [name, fault] of Object.entries(FAULTS).slice(0, MINIMIZED_COUNT))
  test.serial(`random programs find it when ${name}, and what finds it is made small`, async (t) => {
    t.timeout(LONG_MS);
    const { mutations, remove } = await makeMutant(fault);
    t.teardown(remove);
    const target = new RunnerTarget(await buildPayload(), mutations);
    t.teardown(() => target.close());
    const { finding } = await fuzz(target, { seed: 1, inputs: PROGRAMS });
    t.true(finding?.error instanceof Violation, String(finding?.error));
    t.true((finding?.input.byteLength ?? 0) <= HEADER_BYTES + 4 * OPERATION_BYTES);
  });

test('each fault that is put back is still one', (t) => {
  for (const [name, fault] of Object.entries(FAULTS)) t.notThrows(() => checkFault(fault), name);
});

/** What a seed finds: most of them at once, those that depend on which of two things comes first within some runs. */
async function findingOf(target: RunnerTarget, seed: Uint8Array): Promise<Error | undefined> {
  for (let run = 0; run < MAX_RUNS; run++)
    try {
      await target.run(seed);
    } catch (error) {
      return error as Error;
    }
  return undefined;
}

for (const [name, fault] of Object.entries(FAULTS).slice(0, FAULT_COUNT))
  test.serial(`a hostile program finds it when ${name}`, async (t) => {
    t.timeout(LONG_MS);
    const mutant = await makeMutant(fault);
    t.teardown(mutant.remove);
    const target = new RunnerTarget(await buildPayload(), mutant.mutations);
    t.teardown(() => target.close());
    const error = await findingOf(target, SEEDS[fault.seed]);
    t.true(error instanceof Violation, String(error));
    t.log(error?.message.split('\n')[0]);
  });
