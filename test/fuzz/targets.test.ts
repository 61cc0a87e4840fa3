import test from 'ava';
import { fuzz } from './fuzzer.js';
import { TARGETS } from './targets/index.js';
import { program } from './targets/program.js';
import { hostileRunner } from './targets/runner.js';
import { testTarget } from './test-target.js';

/** These two have files of tests of their own. */
const ELSEWHERE = [program, hostileRunner];

for (const factory of TARGETS) if (!ELSEWHERE.includes(factory)) testTarget(factory);

test('the same seed makes the same inputs, another one others', async (t) => {
  const [factory] = TARGETS;
  const inputsOf = async (seed: number) => {
    const target = await factory?.create();
    const inputs: string[] = [];
    if (!target) return inputs;
    const recorded = {
      name: target.name,
      stages: target.stages,
      run: (input: Uint8Array) => target.run(input),
      generate: (random: Parameters<typeof target.generate>[0]) => {
        const input = target.generate(random);
        inputs.push(Buffer.from(input).toString('hex'));
        return input;
      },
    };
    await fuzz(recorded, { seed, inputs: 100 });
    return inputs;
  };
  const [first, again, other] = [await inputsOf(7), await inputsOf(7), await inputsOf(8)];
  t.deepEqual(first, again);
  t.notDeepEqual(first, other);
  t.true(new Set(first).size > 95);
});
