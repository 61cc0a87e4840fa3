import { type HostFunctionDescription, hostFunctions } from '@farjit/protocol';
import { addrAdd } from '@farjit/protocol/executor-addr';
import test, { type ExecutionContext } from 'ava';
import { JIT } from '../../src/index.js';
import { FakeHost } from '../executor-client/fake-host.js';

/** A JIT on a scripted host, which has linked a function in JavaScript. */
async function open(t: ExecutionContext, call: (x: number) => unknown) {
  const host = new FakeHost();
  const given: HostFunctionDescription[] = [];
  host.connection.onNotification(hostFunctions.giveHostFunctions, ({ functions }) => {
    given.push(...functions);
  });
  const jit = await JIT.create({ executor: host.transport });
  t.teardown(() => jit.close());
  jit.define({ f: { signature: 'i8(i8)', call: (_run, x) => call(x) as number } });
  t.deepEqual(given, [], 'defining sends nothing');
  await jit.findSymbol('f');
  t.is((await host.reenter(host.runner.stubs.trampolines)).outcome, 'landed');
  const ask = (number: number, ...words: bigint[]) => {
    const params = { call: 1, depth: 1, function: number, arguments: words };
    return host.connection.request(hostFunctions.callHost, params, { generation: host.runner.generation });
  };
  return { jit, host, given, ask };
}

test('a runner is given a function when it is linked there, and is answered', async (t) => {
  const { given, ask } = await open(t, (x) => x - 1);
  t.deepEqual(given, [{ number: 1, result: 'i8', parameters: ['i8'] }]);
  t.deepEqual(await ask(1, 0n), { outcome: 'returned', value: 2n ** 64n - 1n });
});

test('one that has failed is answered with a token, and nothing of what it has thrown', async (t) => {
  const { ask } = await open(t, () => {
    throw new Error('a secret');
  });
  const answer = await ask(1, 0n);
  t.is(answer.outcome, 'failed');
  t.deepEqual(Object.keys(answer).sort(), ['outcome', 'token']);
});

for (const [what, number, words, message] of [
  ['with a number that was not given', 2, [0n], /calls function 2, which its runner was not given/],
  ['with too little', 1, [], /passes 0 arguments to a function of 1, f/],
  ['with what is of another type', 1, [128n], /passes what is no i8 as argument 1, f/],
] as const)
  test(`an executor that calls what it cannot call loses its session: ${what}`, async (t) => {
    const { host, ask } = await open(t, () => t.fail());
    await t.throwsAsync(ask(number, ...words));
    t.regex((await host.connection.closed).message, message);
  });

test('an executor that calls more at once than a runner has places for loses its session', async (t) => {
  let count = 0;
  const { host, ask } = await open(t, () => {
    count++;
    return new Promise(() => {});
  });
  const calls = Array.from({ length: 768 }, () => ask(1, 0n).catch(() => 'ended'));
  await t.throwsAsync(ask(1, 0n));
  t.regex((await host.connection.closed).message, /more than 768 functions of the compiler's at once/);
  t.is(count, 768);
  t.deepEqual(new Set(await Promise.all(calls)), new Set(['ended']));
});

test('a call of a runner that is gone is answered, and calls nothing', async (t) => {
  const { host, ask } = await open(t, () => t.fail());
  host.loseRunner({ kind: 'exit', status: 0 });
  host.runner = {
    ...host.runner,
    generation: host.runner.generation + 1,
    countFunction: addrAdd(host.runner.countFunction, 8),
  };
  t.deepEqual(await ask(1, 0n), { outcome: 'failed', token: 0 });
});
