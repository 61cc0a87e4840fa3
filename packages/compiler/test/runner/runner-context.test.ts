import { RequestError } from '@farjit/protocol/errors';
import { toExecutorAddr } from '@farjit/protocol/executor-addr';
import test, { type ExecutionContext } from 'ava';
import { OutOfExecutorMemoryError, RunnerLostError } from '../../src/core/errors.js';
import { ExecutorProcessControl } from '../../src/executor-client/executor-process-control.js';
import { RunnerContext } from '../../src/runner/runner-context.js';
import { type Answers, DEAF_HANDLERS, FakeHost, silence } from '../executor-client/fake-host.js';
import { addressesFor } from '../session/session-fixture.js';

async function createContext(t: ExecutionContext, answers: Partial<Answers> = {}) {
  const host = new FakeHost(answers);
  const executor = await ExecutorProcessControl.open(host.transport, DEAF_HANDLERS);
  t.teardown(() => executor.disconnect());
  return { host, executor, runner: new RunnerContext(executor, 100) };
}

test("all that is allotted is the compiler's, and the first stubs are there", async (t) => {
  const { host, runner } = await createContext(t);
  for (const prot of ['code', 'constant', 'data'] as const) {
    const { address, sizeBytes } = host.runner.memory[prot];
    const allocated = runner.allocate(prot, sizeBytes, 1);
    t.is(allocated.address, address);
    const error = t.throws(() => runner.allocate(prot, 1, 1), { instanceOf: OutOfExecutorMemoryError });
    t.is(
      error?.message,
      `no 1 bytes of ${prot} memory left in the executor; remove modules that are no longer needed`,
    );
    t.is(runner.allocatedBytes(prot), sizeBytes);
    runner.free(prot, allocated.address);
    t.is(runner.allocatedBytes(prot), 0);
  }
  t.is(runner.stubBlocks.capacity, 512);
  t.deepEqual(host.asked, ['openSession']);
});

test('a process symbol is asked for once; all new names in one round trip', async (t) => {
  const { host, runner } = await createContext(t, { lookupSymbols: addressesFor({ sin: 1n, cos: 2n }) });
  t.deepEqual([...(await runner.lookupProcessSymbols([]))], []);
  t.is(host.askedFor('lookupSymbols'), 0);
  t.deepEqual(
    [...(await runner.lookupProcessSymbols(['sin', 'cos', 'sin']))],
    [
      ['sin', toExecutorAddr(1)],
      ['cos', toExecutorAddr(2)],
    ],
  );
  t.is((await runner.lookupProcessSymbols(['cos', 'sin'])).size, 2);
  t.is(host.askedFor('lookupSymbols'), 1);
});

test('a name that is being looked up is not asked for again, and can be when the look-up has failed', async (t) => {
  const { host, runner } = await createContext(t, {
    lookupSymbols: () => {
      throw new RequestError('INTERNAL', 'not now');
    },
  });
  const look = () => runner.lookupProcessSymbols(['sin']);
  for (const error of [t.throwsAsync(look()), t.throwsAsync(look())]) t.is((await error).message, 'not now');
  t.is(host.askedFor('lookupSymbols'), 1);
  host.answers.lookupSymbols = addressesFor({ sin: 1n });
  const found = await Promise.all([look(), look()]);
  t.deepEqual(
    found.flatMap((names) => [...names.keys()]),
    ['sin', 'sin'],
  );
  t.is(host.askedFor('lookupSymbols'), 2);
});

test('a name that is unknown is asked for again', async (t) => {
  const { host, runner } = await createContext(t);
  t.false((await runner.lookupProcessSymbols(['none'])).has('none'));
  host.answers.lookupSymbols = addressesFor({ none: 5n });
  t.true((await runner.lookupProcessSymbols(['none'])).has('none'));
});

test('a name that no symbol can have is unknown, and does not keep others from being found', async (t) => {
  const { runner } = await createContext(t, { lookupSymbols: addressesFor({ sin: 1n }) });
  const found = await runner.lookupProcessSymbols(['', 'a\0b', 'x'.repeat(5000), 'sin']);
  t.deepEqual([...found.keys()], ['sin']);
});

test('waiting for commits ends when all of them have been answered, well or not', async (t) => {
  const { runner } = await createContext(t);
  t.false(runner.isApplying);
  let apply!: () => void;
  runner.noteCommit(
    new Promise<void>((resolve) => {
      apply = resolve;
    }),
  );
  runner.noteCommit(Promise.reject(new RequestError('INTERNAL', 'refused')));
  t.true(runner.isApplying);
  let applied = false;
  const waiting = runner.whenApplied().then(() => {
    applied = true;
  });
  await new Promise(setImmediate);
  t.false(applied);
  apply();
  await waiting;
  t.false(runner.isApplying);
});

test('calls that were abandoned reject, those that were answered do not', async (t) => {
  const { runner } = await createContext(t);
  t.is(await runner.answerOrLoss(Promise.resolve(1)), 1);
  await t.throwsAsync(runner.answerOrLoss(Promise.reject(new Error('refused'))), { message: 'refused' });
  const answered = runner.answerOrLoss(Promise.resolve(2));
  const abandoned = runner.answerOrLoss(silence());
  t.is(await answered, 2);
  runner.abandon(() => new RunnerLostError({ kind: 'exit', status: 1 }));
  await t.throwsAsync(abandoned, { instanceOf: RunnerLostError });
});
