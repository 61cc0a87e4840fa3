import test, { type ExecutionContext } from 'ava';
import { Generation } from '../src/generation.js';
import { createHostResources } from '../src/index.js';
import { libraryBits } from '../src/libraries.js';
import { RunnerLibrary } from '../src/native/shared-layout.js';

const host = createHostResources();

/** A runner without a session. */
async function start(t: ExecutionContext, libraries?: readonly string[]): Promise<Generation> {
  const events = {
    lane: host.turns.lane({ charge: () => {}, fault: (error) => t.fail(String(error)) }),
    compile: () => Promise.reject(new Error('nothing is compiled here')),
    onOutput: () => {},
    onHot: () => {},
    onLimit: () => {},
    isCongested: () => false,
    onEnd: () => {},
  };
  const generation = await Generation.start(1, host, events, libraries);
  t.teardown(() => {
    generation.kill({ kind: 'cancelled' });
    return generation.ended;
  });
  return generation;
}

test('libraries are asked for by name', (t) => {
  t.is(libraryBits([]), 0);
  t.is(libraryBits(['kaleidoscope', 'kaleidoscope']), RunnerLibrary.kaleidoscope);
});

test('a library that the runner does not have is refused by name, before there is a runner', async (t) => {
  for (const name of ['nosuchlibrary', 'constructor', ''])
    await t.throwsAsync(start(t, ['kaleidoscope', name]), {
      code: 'INVALID_PARAMS',
      message: `the runner has no library "${name}": it has kaleidoscope`,
    });
});

test('functions of a library are found by who asks for it, and by nobody else', async (t) => {
  const names = ['putchard', 'printd', 'sin'];
  const found = async (libraries?: readonly string[]) =>
    (await (await start(t, libraries)).lookup(names)).map((address) => address !== 0n);
  t.deepEqual(await found(['kaleidoscope']), [true, true, true]);
  t.deepEqual(await found([]), [false, false, true]);
  t.deepEqual(await found(), [false, false, true]);
});
