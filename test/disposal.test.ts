import { CodegenPool, JIT, JITPool, KaleidoscopeJIT } from '@farjit/compiler';
import { Server } from '@farjit/executor';
import test from 'ava';
import { socketUrl } from './executor-process.js';
import { isAlive } from './proc.js';

const ONE = 'define i32 @one() {\n  ret i32 1\n}';

test('everything that has a life ends it with its scope', async (t) => {
  const processes: number[] = [];
  const kept: { jit?: JIT; pool?: JITPool; kaleidoscope?: KaleidoscopeJIT } = {};
  const url = socketUrl(t);
  {
    await using server = new Server();
    await server.listen(url);
    await using codegen = new CodegenPool({ libLLVM: () => process.env.FARJIT_LIBLLVM ?? '/nowhere' });
    await using jit = await JIT.create();
    await using kaleidoscope = await KaleidoscopeJIT.create({ executor: { url } });
    await using pool = await JITPool.connect([url], { codegen });
    processes.push(jit.localExecutorProcessId ?? 0, jit.runner.processId, kaleidoscope.runner.processId);
    t.true(processes.every(isAlive));
    Object.assign(kept, { jit, pool, kaleidoscope });
  }
  t.deepEqual(processes.filter(isAlive), []);
  await t.throwsAsync(async () => (await kept.pool?.lookup('one', 'i32()'))?.(), { code: 'SESSION_CLOSED' });
});

test('what was added is removed with its scope, once', async (t) => {
  await using jit = await JIT.create();
  await using pool = await JITPool.connect(['local']);
  for (const one of [jit, pool]) {
    {
      await using added = await one.addIR(ONE);
      t.deepEqual(added.names, ['one']);
      t.is(await (await one.lookup('one', 'i32()'))(), 1);
    }
    await t.throwsAsync(one.lookup('one', 'i32()'), { code: 'SYMBOLS_NOT_FOUND' });
    {
      await using removed = await one.addIR(ONE);
      removed.remove();
      await one.addIR(ONE);
    }
    t.is(await (await one.lookup('one', 'i32()'))(), 1, 'it removes nothing of others');
  }
});
