import { run } from '@farjit/protocol';
import { addrAdd, type ExecutorAddr, NULL_ADDR } from '@farjit/protocol/executor-addr';
import test from 'ava';
import { loopBlock } from '../../src/calls/loop-block.js';
import { LoopCalls, maxElements } from '../../src/calls/loop-calls.js';
import type { FunctionLayer } from '../../src/layers/function-layer.js';
import { STAGED_LIMITS } from '../../src/runner/commit-queue.js';
import type { RunnerContext } from '../../src/runner/runner-context.js';
import type { ExecutionSession } from '../../src/session/execution-session.js';

const ENTRY = addrAdd(NULL_ADDR, 0x4000);

/** What is allocated and not freed, in a runner. */
class FakeRunner {
  readonly held: string[] = [];
  readonly asked: [sizeBytes: number, alignment: number][] = [];
  lost = false;
  isFull = false;
  #next = 0x1_0000;

  allocate(_prot: string, sizeBytes: number, alignment: number) {
    if (this.isFull) throw new Error('no memory');
    this.asked.push([sizeBytes, alignment]);
    const address = addrAdd(NULL_ADDR, this.#next);
    this.#next += 0x1_0000;
    this.held.push(`${address}`);
    return { address };
  }

  free(_prot: string, address: ExecutorAddr): void {
    this.held.splice(this.held.indexOf(`${address}`), 1);
  }
}

type Prepare = Parameters<ExecutionSession['callOnData']>[1];

/** @param call what a session does with a call, which is what it prepares and how it ends. */
function prepared(call: (prepare: Prepare) => Promise<Uint8Array>) {
  const discarded: string[] = [];
  const linking = { fails: false };
  const made: { name: string; isOld: boolean }[] = [];
  const session = {
    executor: { has: () => true },
    callOnData: async (_name: string, prepare: Prepare) => ({ content: await call(prepare) }),
    link: async () => {
      if (linking.fails) throw new Error('does not link');
      return ENTRY;
    },
    discard: (unit: unknown) => discarded.push(String(unit)),
  };
  const ast = {
    loopUnit: (name: string) => {
      const loop = { name, isOld: false };
      made.push(loop);
      return {
        unit: `${name} ${made.length}`,
        entry: `${name}$loop`,
        isCurrent: () => !loop.isOld,
        release: () => {},
      };
    },
  };
  const calls = new LoopCalls(session as unknown as ExecutionSession, ast as unknown as FunctionLayer<never>);
  return {
    calls,
    discarded,
    linking,
    made,
    apply: (...columns: Float64Array[]) => calls.call('f', columns, {}),
  };
}

const as = (runner: FakeRunner) => runner as unknown as RunnerContext;

test('a call takes as many elements as fit in what travels, and no more', async (t) => {
  for (const columnCount of [1, 2, 3, 7]) {
    const most = maxElements(columnCount);
    const strideBytes = Math.ceil((8 * most) / 64) * 64;
    t.true(strideBytes * columnCount <= STAGED_LIMITS.bytes && 8 * most <= run.MAX_READ_BYTES);
    t.true(
      (strideBytes + 64) * columnCount > STAGED_LIMITS.bytes - 64 * columnCount ||
        8 * (most + 1) > run.MAX_READ_BYTES,
    );
    const runner = new FakeRunner();
    const { apply } = prepared((prepare) => prepare(as(runner)).then(({ block }) => block));
    const columns = (length: number) => Array.from({ length: columnCount }, () => new Float64Array(length));
    await apply(...columns(most));
    await t.throwsAsync(apply(...columns(most + 1)), {
      code: 'BAD_ARGUMENT',
      message: new RegExp(`^f: ${most + 1} elements of ${columnCount} columns .* it takes ${most}$`),
    });
  }
});

for (const [elementCount, strideBytes] of [
  [1, 64],
  [8, 64],
  [9, 128],
] as const)
  test(`columns of ${elementCount} are ${strideBytes} bytes apart, and freed when the call has ended`, async (t) => {
    const runner = new FakeRunner();
    const columns = [1, 2, 3].map((value) => new Float64Array(elementCount).fill(value));
    const { apply } = prepared(async (prepare) => {
      const { entry, block, data, read } = await prepare(as(runner));
      const first = addrAdd(NULL_ADDR, 0x1_0000);
      const places = [0, 1, 2].map((index) => addrAdd(first, strideBytes * index));
      t.is(entry, ENTRY);
      t.deepEqual(block, loopBlock(elementCount, places));
      t.deepEqual(
        data?.map(({ address, memoryBytes, prot }) => [address, memoryBytes, prot] as unknown),
        places.map((place) => [place, 8 * elementCount, 'data']),
      );
      t.deepEqual(
        data?.map(({ content }) => new Float64Array(Uint8Array.from(content).buffer)),
        columns,
      );
      t.deepEqual(read as unknown, { address: first, sizeBytes: 8 * elementCount });
      t.is(runner.held.length, 1);
      return Uint8Array.of(7);
    });
    t.deepEqual([...(await apply(...columns))], [7]);
    t.deepEqual(runner.asked, [[3 * strideBytes, 64]]);
    t.deepEqual(runner.held, []);
  });

test('a call that is prepared once more gives back what it had, unless that went with its runner', async (t) => {
  const [first, second, third] = [new FakeRunner(), new FakeRunner(), new FakeRunner()];
  const { apply } = prepared(async (prepare) => {
    await prepare(as(first));
    await prepare(as(second));
    t.deepEqual([first.held.length, second.held.length], [0, 1]);
    second.lost = true;
    await prepare(as(third));
    t.deepEqual([second.held.length, third.held.length], [1, 1]);
    throw new Error('it trapped');
  });
  await t.throwsAsync(apply(Float64Array.of(1)), { message: 'it trapped' });
  t.deepEqual([first.held.length, second.held.length, third.held.length], [0, 1, 0]);
});

test('a loop that is outdated goes when the last that uses it has ended, however it ended', async (t) => {
  const runner = new FakeRunner();
  const ends: (() => void)[] = [];
  const { apply, calls, discarded, made } = prepared(async (prepare) => {
    await prepare(as(runner));
    await new Promise<void>((resolve) => ends.push(resolve));
    return new Uint8Array();
  });
  const under = [apply(Float64Array.of(1)), apply(Float64Array.of(2))];
  await new Promise(setImmediate);
  t.is(made.length, 1);
  for (const loop of made) loop.isOld = true;
  under.push(apply(Float64Array.of(3)), calls.call('g', [Float64Array.of(4)], {}));
  await new Promise(setImmediate);
  t.deepEqual(
    made.map(({ name }) => name),
    ['f', 'f', 'g'],
  );
  t.deepEqual(discarded, []);
  ends[0]?.();
  await under[0];
  t.deepEqual(discarded, []);
  ends[1]?.();
  await under[1];
  t.deepEqual(discarded, ['f 1']);
  for (const end of ends) end();
  await Promise.all(under);
  t.deepEqual(discarded, ['f 1']);
});

test('a loop is left by a call that cannot be linked, or has no memory', async (t) => {
  const runner = new FakeRunner();
  const { apply, discarded, linking, made } = prepared(async (prepare) => {
    await prepare(as(runner));
    return new Uint8Array();
  });
  linking.fails = true;
  await t.throwsAsync(apply(Float64Array.of(1)), { message: 'does not link' });
  linking.fails = false;
  runner.isFull = true;
  await t.throwsAsync(apply(Float64Array.of(1)), { message: 'no memory' });
  runner.isFull = false;
  await apply(Float64Array.of(1));
  t.is(made.length, 1);
  for (const loop of made) loop.isOld = true;
  await apply(Float64Array.of(1));
  t.deepEqual(discarded, ['f 1']);
  t.deepEqual(runner.held, []);
});
