import { ConnectError, KaleidoscopeJIT, RunnerLostError } from '@farjit/compiler';
import test from 'ava';
import { socketUrl, startExecutor } from './executor-process.js';
import { evaluateAll, eventually, openJIT } from './jit-fixture.js';
import { isAlive } from './proc.js';

test('two compilers on one executor do not see each other', async (t) => {
  const { url } = await startExecutor(t, socketUrl(t));
  const [{ jit: a }, { jit: b }] = await Promise.all([
    openJIT(t, { executor: { url }, speculate: 'off' }),
    openJIT(t, { executor: { url }, speculate: 'off' }),
  ]);
  t.not(a.runner.processId, b.runner.processId);
  t.is(a.localExecutorProcessId, undefined);
  await a.addSource('def f(x) x + 1;');
  await b.addSource('def f(x) x + 1000;');
  const values = await Promise.all([
    evaluateAll(a, 'def g(x) f(x) * 2; g(1); g(2);'),
    evaluateAll(b, 'def g(x) f(x) * 3; g(1); g(2);'),
  ]);
  t.deepEqual(values, [
    [4, 6],
    [3003, 3006],
  ]);
  t.is(a.statistics().compileCallbacks, 2);
});

test("one session's crash is not another's", async (t) => {
  const { url } = await startExecutor(t, socketUrl(t));
  const { jit: a } = await openJIT(t, { executor: { url } });
  const { jit: b } = await openJIT(t, { executor: { url } });
  await b.addSource('def spin(x) for i = 0, 1 in x; def f(x) x + 1;');
  const spinning = (await b.lookup('spin')).call([1], { deadlineMs: 60_000 });
  await eventually(async () => (await b.executorStatus()).callsInFlight === 1, 'it spins');
  process.kill(a.runner.processId, 'SIGKILL');
  await eventually(() => a.statistics().runnersLost === 1, 'the loss is known');
  t.deepEqual(await evaluateAll(a, '1 + 1;'), [2]);
  t.is(b.statistics().runnersLost, 0);
  t.is(await (await b.lookup('f'))(1), 2);
  await a.close();
  t.is((await b.executorStatus()).callsInFlight, 1);
  process.kill(b.runner.processId, 'SIGKILL');
  await t.throwsAsync(spinning, { instanceOf: RunnerLostError });
});

test('closing a session ends its runner and leaves the executor to others', async (t) => {
  const { url, child } = await startExecutor(t, socketUrl(t));
  const { jit } = await openJIT(t, { executor: { url } });
  t.deepEqual(await evaluateAll(jit, '2;'), [2]);
  const runner = jit.runner.processId;
  await jit.close();
  await eventually(() => !isAlive(runner), 'the runner is gone');
  t.true(isAlive(child.pid ?? 0));
  const { jit: next } = await openJIT(t, { executor: { url } });
  t.deepEqual(await evaluateAll(next, '3;'), [3]);
});

test('an executor that is killed ends its sessions with words', async (t) => {
  const { url, child } = await startExecutor(t, socketUrl(t), ['--session-ttl=0.5']);
  const { jit } = await openJIT(t, { executor: { url } });
  await jit.addSource('def spin(x) for i = 0, 1 in x;');
  const spinning = (await jit.lookup('spin'))(1);
  await eventually(async () => (await jit.executorStatus()).callsInFlight === 1, 'it spins');
  child.kill('SIGKILL');
  await t.throwsAsync(spinning, { code: 'CONNECTION_CLOSED' });
  await t.throwsAsync(jit.lookup('spin'), { code: 'SESSION_CLOSED' });
  await t.throwsAsync(KaleidoscopeJIT.create({ executor: { url } }), { instanceOf: ConnectError });
});

test('a loopback executor wants its token', async (t) => {
  const { url, token } = await startExecutor(t, 'ws://127.0.0.1:0');
  await t.throwsAsync(KaleidoscopeJIT.create({ executor: { url } }), {
    instanceOf: ConnectError,
    message:
      `${url}: the executor answered 401 (a token is needed, and none came); give the token that the executor ` +
      'printed or that is in its token file: --token-file, or FARJIT_TOKEN',
  });
  await t.throwsAsync(KaleidoscopeJIT.create({ executor: { url, token: 'wrong' } }), {
    instanceOf: ConnectError,
  });
  const { jit } = await openJIT(t, { executor: { url, token } });
  t.deepEqual(await evaluateAll(jit, 'def f(x) x * 2; f(21);'), [42]);
});
