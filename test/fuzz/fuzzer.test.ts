import { spawn } from 'node:child_process';
import { text } from 'node:stream/consumers';
import test from 'ava';
import { fuzz, shareAccepted } from './fuzzer.js';
import type { FuzzTarget } from './target.js';

/** Refuses inputs that begin with an odd byte, and fails on those that hold 0x42 and 0x43 behind it. */
const FRAGILE: FuzzTarget = {
  name: 'fragile',
  stages: ['refused', 'accepted'],
  generate: (random) => Uint8Array.from({ length: 40 }, () => random.below(256)),
  run: (input) => {
    if ((input[0] ?? 0) % 2 === 1) return 'refused';
    const at = input.indexOf(0x42);
    if (at >= 0 && input.includes(0x43, at)) throw new RangeError(`broken at ${at} of ${input.byteLength}`);
    return 'accepted';
  },
};

test('what fails is made as small as it can be, and can be made again by its number alone', async (t) => {
  const { finding, inputs } = await fuzz(FRAGILE, { seed: 3, inputs: 100_000 });
  if (!finding) return t.fail('nothing was found');
  t.deepEqual([...finding.input], [0x42, 0x43]);
  t.is(finding.error.message, 'broken at 0 of 2');
  t.is(finding.index, inputs - 1);
  const again = await fuzz(FRAGILE, { seed: 3, inputs: 1, first: finding.index });
  t.deepEqual(again.finding, finding);
});

test('outcomes are counted by stage', async (t) => {
  const { stages, generate } = FRAGILE;
  const run = (input: Uint8Array) => ((input[0] ?? 0) % 2 === 1 ? 'refused' : 'accepted');
  const report = await fuzz({ name: 'x', stages, generate, run }, { seed: 1, inputs: 1000 });
  const { refused = 0, accepted = 0 } = Object.fromEntries(report.outcomes);
  t.is(refused + accepted, 1000);
  t.true(refused > 400 && accepted > 400);
  t.is(shareAccepted(report), accepted / 1000);
});

test('an input that does not end ends the fuzzer, which says how to make it again', async (t) => {
  const watchdog = JSON.stringify(new URL('./watchdog.js', import.meta.url).href);
  const script = `const { Watchdog } = await import(${watchdog});
    const watchdog = new Watchdog('npm run fuzz -- --target x', 2000);
    // The thread beside has to be there before this one stops listening.
    await new Promise((resolve) => setTimeout(resolve, 500));
    watchdog.note(17);
    for (;;);`;
  const child = spawn(process.execPath, ['--input-type=module', '-e', script], {
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  const [words, signal] = await Promise.all([
    text(child.stderr),
    new Promise((resolve) => child.once('exit', (code, by) => resolve(by ?? code))),
  ]);
  t.is(signal, 'SIGKILL');
  t.is(words, 'fuzz: input 17 does not end; make it again with: npm run fuzz -- --target x --first 17\n');
});
