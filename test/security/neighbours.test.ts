import { fork } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import test, { type ExecutionContext } from 'ava';
import { type Ending, startExecutor } from '../executor-process.js';
import { addFunction, openRaw, REQUEST_FLOODS, RUNNER_FLOODS } from './floods.js';

const PROGRAM = fileURLToPath(new URL('./flooding-process.js', import.meta.url));
const IS_LONG = process.env.FARJIT_SECURITY === 'long';
/** How long a neighbour is watched beside each. */
const WATCH_MS = IS_LONG ? 3000 : 100;
/** Control and flood in turn, so many times, in the long form. */
const ROUNDS = 5;

/** Times of a neighbour's calls, in milliseconds. */
async function watch(t: ExecutionContext, url: string, what: string, call: () => Promise<unknown>) {
  const flooding = fork(PROGRAM, [url, what]);
  t.teardown(() => flooding.kill('SIGKILL'));
  await once(flooding, 'message');
  const times: number[] = [];
  const endMs = performance.now() + WATCH_MS;
  for (let startMs = performance.now(); startMs < endMs; startMs = performance.now()) {
    await call();
    times.push(performance.now() - startMs);
  }
  flooding.kill('SIGKILL');
  await once(flooding, 'exit');
  return times;
}

function quantile(values: readonly number[], share: number): number {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[Math.floor(share * (sorted.length - 1))] ?? Number.NaN;
}

/** The middle of a quantile's ratios between flood and control, round by round. */
function ratio(rounds: readonly { control: number[]; flood: number[] }[], share: number): number {
  return quantile(
    rounds.map(({ control, flood }) => quantile(flood, share) / quantile(control, share)),
    0.5,
  );
}

const endings: (() => unknown)[] = [];
test.after.always(async () => {
  for (const end of endings.reverse()) await end();
});
let host: ReturnType<typeof startHost> | undefined;

/** An executor with a neighbour that has a function to call, one for all floods. */
function started() {
  host ??= startHost({ teardown: (end) => endings.push(end) });
  return host;
}

async function startHost(ending: Ending) {
  const { url } = await startExecutor(ending);
  const neighbour = await openRaw(url);
  ending.teardown(() => neighbour.connection.close());
  return { url, call: await addFunction(neighbour) };
}

for (const what of [...Object.keys(REQUEST_FLOODS), ...Object.keys(RUNNER_FLOODS)])
  test.serial(`a neighbour is served beside a flood as beside an endless loop: ${what}`, async (t) => {
    const { url, call } = await started();
    if (!IS_LONG) {
      const times = await watch(t, url, what, call);
      t.log(`median ${quantile(times, 0.5).toFixed(2)} ms of ${times.length} calls`);
      return t.true(times.length > 0);
    }
    const rounds: { control: number[]; flood: number[] }[] = [];
    for (let round = 0; round < ROUNDS; round++) {
      const control = await watch(t, url, 'for(;;)', call);
      rounds.push({ control, flood: await watch(t, url, what, call) });
    }
    const median = ratio(rounds, 0.5);
    const tail = ratio(rounds, 0.99);
    const inMs = (share: number) =>
      `${quantile(
        rounds.flatMap(({ control }) => control),
        share,
      ).toFixed(2)} → ${quantile(
        rounds.flatMap(({ flood }) => flood),
        share,
      ).toFixed(2)} ms`;
    t.log(
      `median ${inMs(0.5)} (× ${median.toFixed(2)}), 99% ${inMs(0.99)} (× ${tail.toFixed(2)}), ${rounds.length} rounds`,
    );
    t.true(median <= 1.5, `median × ${median}`);
    t.true(tail <= 3, `99% × ${tail}`);
  });
