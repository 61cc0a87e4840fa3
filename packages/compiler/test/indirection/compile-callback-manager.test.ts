import { addrAdd, NULL_ADDR, toExecutorAddr } from '@farjit/protocol/executor-addr';
import test, { type ExecutionContext } from 'ava';
import { JITDylib } from '../../src/core/jit-dylib.js';
import {
  type CompileAction,
  CompileCallbackManager,
} from '../../src/indirection/compile-callback-manager.js';
import { IndirectStubsManager } from '../../src/indirection/indirect-stubs-manager.js';
import type { RunnerContext } from '../../src/runner/runner-context.js';
import { openBlocks } from './stub-blocks-fixture.js';

const RUNNER = {} as RunnerContext;
const LANDING = toExecutorAddr(0x1234);

async function openCallbacks(t: ExecutionContext, compile: CompileAction) {
  const { blocks } = await openBlocks(t);
  const stubs = new IndirectStubsManager();
  const dylib = new JITDylib('main', { mayReplace: () => true, isPlaced: () => false });
  stubs.attach(blocks);
  await blocks.ensure(512);
  const trampolineOf = (name: string) => stubs.trampolineAddress(stubs.createStub(dylib.ref(name)));
  return { callbacks: new CompileCallbackManager(stubs, compile), trampolineOf };
}

test('a trampoline is answered with the landing of the name it belongs to', async (t) => {
  const compiled: string[] = [];
  const { callbacks, trampolineOf } = await openCallbacks(t, async ({ name }, runner) => {
    t.is(runner, RUNNER);
    compiled.push(name);
    return LANDING;
  });
  trampolineOf('f');
  const answer = await callbacks.executeCompileCallback(trampolineOf('g'), RUNNER);
  t.deepEqual(answer, { name: 'g', outcome: 'landed', landing: LANDING });
  t.deepEqual(compiled, ['g']);
});

test('different trampolines are served side by side', async (t) => {
  const waiting: (() => void)[] = [];
  const { callbacks, trampolineOf } = await openCallbacks(
    t,
    () => new Promise((resolve) => waiting.push(() => resolve(LANDING))),
  );
  const answers = ['f', 'g', 'h'].map((name) => callbacks.executeCompileCallback(trampolineOf(name), RUNNER));
  t.is(waiting.length, 3);
  for (const release of waiting.reverse()) release();
  t.deepEqual(
    (await Promise.all(answers)).map(({ name }) => name),
    ['f', 'g', 'h'],
  );
});

test('a failure becomes an answer', async (t) => {
  const failure = new Error('first');
  const { callbacks, trampolineOf } = await openCallbacks(t, () => Promise.reject(failure));
  const answer = await callbacks.executeCompileCallback(trampolineOf('f'), RUNNER);
  t.deepEqual(answer, { name: 'f', outcome: 'failed', error: failure });
});

test('what is thrown without being an error still has words', async (t) => {
  const { callbacks, trampolineOf } = await openCallbacks(t, () => Promise.reject('just a text'));
  const answer = await callbacks.executeCompileCallback(trampolineOf('f'), RUNNER);
  t.true(answer.outcome === 'failed' && answer.error.message === 'just a text');
});

test('an address that is no trampoline, or one of no name, fails', async (t) => {
  const { callbacks, trampolineOf } = await openCallbacks(t, async () => LANDING);
  const unused = addrAdd(trampolineOf('f'), 8);
  for (const address of [unused, addrAdd(unused, 1), NULL_ADDR]) {
    const answer = await callbacks.executeCompileCallback(address, RUNNER);
    t.is(answer.outcome, 'failed');
    t.is(answer.name, `trampoline ${address.toString(16)}`);
    if (answer.outcome === 'failed') t.is(answer.error.message, 'no function belongs to this trampoline');
  }
});
