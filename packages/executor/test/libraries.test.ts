import { session, symbols } from '@farjit/protocol';
import test from 'ava';
import { createHostResources } from '../src/index.js';
import { libraryBits } from '../src/libraries.js';
import { RunnerLibrary } from '../src/native/shared-layout.js';
import { openSession, startRunner, WANTED } from './session-fixture.js';

const host = createHostResources();

test('libraries are asked for by name', (t) => {
  t.is(libraryBits([]), 0);
  t.is(libraryBits(['kaleidoscope', 'kaleidoscope']), RunnerLibrary.kaleidoscope);
});

test('a library that the runner does not have is refused by name, and the runner stays', async (t) => {
  const compiler = await openSession(t, host);
  for (const name of ['nosuchlibrary', 'constructor', ''])
    await t.throwsAsync(
      compiler.connection.request(session.startRunner, { ...WANTED, libraries: ['kaleidoscope', name] }),
      { code: 'INVALID_PARAMS', message: `the runner has no library "${name}": it has kaleidoscope` },
    );
  t.deepEqual(compiler.lost, []);
  t.is((await startRunner(compiler)).generation, 2);
});

test('functions of a library are found by who asks for it, and by nobody else', async (t) => {
  const compiler = await openSession(t, host);
  const found = async () => {
    const names = ['putchard', 'printd', 'sin'];
    const params = { names };
    const { addresses } = await compiler.connection.request(symbols.lookupSymbols, params, compiler.live);
    return addresses.map((address) => address !== 0n);
  };
  t.deepEqual(await found(), [true, true, true]);
  await startRunner(compiler, { ...WANTED, libraries: [] });
  t.deepEqual(await found(), [false, false, true]);
});
