import test from 'ava';
import type { JIT } from '../../src/jit/jit.js';
import { Dispatcher } from '../../src/pool/dispatcher.js';
import { PoolExecutor } from '../../src/pool/pool-executor.js';
import { gate } from '../gate.js';

test('an executor has two pieces of work at a time, and one while its memory is short', async (t) => {
  const jit = {
    isShortOfMemory: false,
    target: {},
    closed: new Promise<Error>(() => {}),
    subscribe: () => () => {},
  };
  const executor = new PoolExecutor<JIT>(
    { url: 'ws://there' },
    {
      jit: {},
      connect: {},
      create: async () => jit as unknown as JIT,
      connected: () => {},
      lost: () => {},
      changed: () => {},
      mayInitialize: () => false,
    },
  );
  await executor.start();
  const dispatcher = new Dispatcher<JIT>(() => [executor]);
  const gates = Array.from({ length: 4 }, () => gate());
  let begun = 0;
  const source = {
    take: (to: PoolExecutor<JIT>) => {
      const next = gates[begun];
      if (!next) return undefined;
      begun++;
      return () => to.occupy(() => next.wait());
    },
  };
  await dispatcher.serve(source, async () => {
    await new Promise(setImmediate);
    t.is(begun, 2);
    jit.isShortOfMemory = true;
    gates[0]?.open();
    await new Promise(setImmediate);
    t.is(begun, 2, 'it has one still');
    gates[1]?.open();
    await new Promise(setImmediate);
    t.is(begun, 3, 'and one again');
    jit.isShortOfMemory = false;
    gates[2]?.open();
    await new Promise(setImmediate);
    gates[3]?.open();
    await new Promise(setImmediate);
    t.is(begun, 4);
  });
});
