import {
  type HostFunctionDescription,
  hostFunctions,
  type ParamsOf,
  type ResultOf,
  run,
} from '@farjit/protocol';
import { RequestError } from '@farjit/protocol/errors';
import { type ExecutorAddr, toExecutorAddr } from '@farjit/protocol/executor-addr';
import test, { type ExecutionContext } from 'ava';
import { createHostResources } from '../src/index.js';
import { callHost, spin, storeConstant } from './machine-code.js';
import {
  callDouble,
  commitOf,
  load,
  openSession,
  reserve,
  type TestCompiler,
  until,
} from './session-fixture.js';

type HostCall = ParamsOf<typeof hostFunctions.callHost>;
type HostAnswer = ResultOf<typeof hostFunctions.callHost>;

const host = createHostResources();
const DOUBLE: HostFunctionDescription = { number: 7, result: 'double', parameters: ['i32', 'double'] };

function give({ connection, live }: TestCompiler, ...functions: HostFunctionDescription[]): void {
  connection.notify(hostFunctions.giveHostFunctions, { functions }, live.generation);
}

/** Code that calls function 7 with two words of its block. */
function loadCaller(compiler: TestCompiler, number = 7n): Promise<ExecutorAddr> {
  return load(compiler, callHost(compiler.runner.callHostFunction ?? 0n, number, 2));
}

async function call(
  { connection, live }: TestCompiler,
  entry: ExecutorAddr,
  words: bigint[],
): Promise<bigint> {
  const block = new Uint8Array(BigUint64Array.of(0n, ...words).buffer);
  const answer = await connection.request(run.call, { entry, block, commit: commitOf() }, live);
  return Buffer.from(answer.block).readBigUInt64LE();
}

function returned(value: number): HostAnswer {
  const bytes = Buffer.alloc(8);
  bytes.writeDoubleLE(value);
  return { outcome: 'returned', value: bytes.readBigUInt64LE() };
}

async function opened(t: ExecutionContext, answer: (call: HostCall) => unknown) {
  const compiler = await openSession(t, host);
  const calls: HostCall[] = [];
  compiler.connection.handle(hostFunctions.callHost, async (params) => {
    calls.push(params);
    return (await answer(params)) as HostAnswer;
  });
  return { compiler, calls };
}

test('a thread calls a function of the compiler: words go there, and a word comes back', async (t) => {
  const { compiler, calls } = await opened(t, () => returned(1.5));
  give(compiler, DOUBLE);
  const entry = await loadCaller(compiler);
  t.is(await call(compiler, entry, [2n ** 64n - 5n, 0x4045_0000_0000_0000n]), 0x3ff8_0000_0000_0000n);
  const [asked] = calls;
  t.is(asked?.function, 7);
  t.deepEqual(asked?.arguments, [2n ** 64n - 5n, 0x4045_0000_0000_0000n]);
});

test('a call that has failed ends with its token', async (t) => {
  const { compiler } = await opened(t, () => ({ outcome: 'failed', token: 99 }));
  give(compiler, DOUBLE);
  // Without unwind information, over which a failed call ends its runner.
  const entry = await loadCaller(compiler);
  const error = await t.throwsAsync(call(compiler, entry, [0n, 0n]), { code: 'CALLBACK_FAILED' });
  t.like(error, { data: { token: 99 } });
});

for (const [what, answer, message] of [
  ['is of another type', { outcome: 'returned', value: 128n }, /its answer is no i8/],
  ['is no answer', { outcome: 'returned', value: 5 }, /callHost.*value/],
  ['is an error', new RequestError('INTERNAL', 'no such thing'), /no such thing/],
] as const)
  test(`an answer that ${what} ends the runner, and nothing else`, async (t) => {
    const { compiler } = await opened(t, () => {
      if (answer instanceof Error) throw answer;
      return answer;
    });
    give(compiler, { ...DOUBLE, result: 'i8' });
    const entry = await loadCaller(compiler);
    await t.throwsAsync(call(compiler, entry, [0n, 0n]), { code: 'RUNNER_LOST', message });
    await until(() => compiler.lost.length === 1);
    t.is(compiler.lost[0]?.end.kind, 'fault');
    t.false(compiler.connection.isClosed);
  });

test('a function that was not given to this runner is refused, whichever others were', async (t) => {
  const { compiler, calls } = await opened(t, () => returned(0));
  const neighbour = await openSession(t, host);
  give(neighbour, { ...DOUBLE, number: 8 });
  give(compiler, DOUBLE);
  // One of a generation that is not there is nobody's.
  compiler.connection.notify(hostFunctions.giveHostFunctions, { functions: [{ ...DOUBLE, number: 9 }] }, 5);
  for (const number of [8n]) {
    const entry = await loadCaller(compiler, number);
    await t.throwsAsync(call(compiler, entry, [0n, 0n]), {
      code: 'RUNNER_LOST',
      message: /which it was not given/,
    });
  }
  t.is(calls.length, 0);
  const entry = await load(neighbour, storeConstant(0x4045_0000_0000_0000n));
  t.is(await callDouble(neighbour, entry), 42);
});

test('a number that is given twice ends the connection', async (t) => {
  const { compiler } = await opened(t, () => returned(0));
  give(compiler, DOUBLE, { ...DOUBLE, number: 8 });
  give(compiler, { ...DOUBLE, number: 8 });
  t.regex((await compiler.connection.closed).message, /function 8 is given twice/);
});

test('what a word may hold is what its kind says', async (t) => {
  const { compiler, calls } = await opened(t, () => ({ outcome: 'returned', value: 0n }));
  const good: [HostFunctionDescription['parameters'][number], bigint[]][] = [
    ['i1', [0n, 1n]],
    ['i8', [127n, -128n]],
    ['u8', [255n]],
    ['i16', [32767n, -32768n]],
    ['u16', [65535n]],
    ['i32', [2n ** 31n - 1n, -(2n ** 31n)]],
    ['u32', [2n ** 32n - 1n]],
    ['float', [2n ** 32n - 1n]],
    ['i64', [-1n]],
    ['u64', [-1n]],
    ['ptr', [-1n]],
    ['double', [-1n]],
  ];
  let number = 0;
  for (const [kind, words] of good) {
    give(compiler, { number: ++number, result: 'void', parameters: [kind, kind] });
    const entry = await loadCaller(compiler, BigInt(number));
    for (const word of words)
      await call(
        compiler,
        entry,
        [word, word].map((one) => BigInt.asUintN(64, one)),
      );
  }
  t.is(calls.length, good.flatMap(([, words]) => words).length);
  t.is(compiler.lost.length, 0);
});

test('of many calls each has its own word back', async (t) => {
  const { compiler, calls } = await opened(t, ({ arguments: words }) => {
    return new Promise((resolve) => setTimeout(() => resolve(returned(Number(words[0]))), 5));
  });
  give(compiler, DOUBLE);
  const entry = await loadCaller(compiler);
  const results = await Promise.all(
    Array.from({ length: 200 }, (_, index) => call(compiler, entry, [BigInt(index), 0n])),
  );
  const doubles = results.map((word) => Buffer.from(BigUint64Array.of(word).buffer).readDoubleLE());
  t.deepEqual(
    doubles,
    doubles.map((_, index) => index),
  );
  t.is(calls.length, 200);
});

/** Has the thread of a call run code that stores a constant where its argument leads. */
function enter(
  { connection, live }: TestCompiler,
  call: number,
  entry: ExecutorAddr,
  argument: ExecutorAddr,
) {
  const read = { address: argument, sizeBytes: 8 };
  return connection.request(
    hostFunctions.callFromHost,
    { call, entry, argument, commit: commitOf(), read },
    live,
  );
}

test('a thread that waits runs what the compiler enters, as often as it likes', async (t) => {
  let entered: ExecutorAddr[] = [];
  const { compiler, calls } = await opened(t, async ({ call }) => {
    for (const [index, entry] of entered.entries()) {
      const { content } = await enter(compiler, call, entry, data);
      t.is(Buffer.from(content).readBigUInt64LE(), BigInt(index + 5));
    }
    return returned(2);
  });
  give(compiler, DOUBLE);
  const data = reserve(compiler, 'data', 8);
  entered = await Promise.all([5n, 6n, 7n].map((value) => load(compiler, storeConstant(value))));
  const entry = await loadCaller(compiler);
  for (let round = 0; round < 2; round++) t.is(await call(compiler, entry, [0n, 0n]), 2n ** 62n);
  t.deepEqual(
    calls.map(({ depth }) => depth),
    [1, 1],
  );
  t.not(calls[0]?.call, calls[1]?.call);
});

test('what a thread runs may call in turn, in the same slot, one deeper', async (t) => {
  const { compiler, calls } = await opened(t, async ({ call, depth }) => {
    if (depth <= 64) await enter(compiler, call, inner, data);
    return returned(depth);
  });
  give(compiler, DOUBLE);
  const data = reserve(compiler, 'data', 4096);
  const inner = await loadCaller(compiler);
  t.is(await call(compiler, inner, [0n, 0n]), 0x3ff0_0000_0000_0000n);
  t.deepEqual(
    calls.map(({ depth }) => depth),
    Array.from({ length: 65 }, (_, index) => index + 1),
  );
});

test('a call that does not wait is not entered, and the runner goes on', async (t) => {
  const codes: string[] = [];
  const note = (work: Promise<unknown>) =>
    work.then(
      () => codes.push('done'),
      (error: { code: string }) => codes.push(error.code),
    );
  const { compiler } = await opened(t, async ({ call }) => {
    await note(enter(compiler, call + 1, store, data));
    await note(enter(compiler, call, store, toExecutorAddr(8n)));
    await Promise.all([note(enter(compiler, call, store, data)), note(enter(compiler, call, store, data))]);
    last = call;
    return returned(2);
  });
  let last = 0;
  give(compiler, DOUBLE);
  const data = reserve(compiler, 'data', 8);
  const store = await load(compiler, storeConstant(5n));
  const entry = await loadCaller(compiler);
  t.is(await call(compiler, entry, [0n, 0n]), 2n ** 62n);
  await note(enter(compiler, last, store, data));
  t.deepEqual(codes, [
    'METHOD_NOT_ALLOWED',
    'INVALID_ADDRESS',
    'METHOD_NOT_ALLOWED',
    'done',
    'METHOD_NOT_ALLOWED',
  ]);
  t.is(compiler.lost.length, 0);
});

test('an answer while the thread works for the function ends the runner, and what it works on with it', async (t) => {
  let working: Promise<unknown> | undefined;
  const { compiler } = await opened(t, ({ call }) => {
    working = t.throwsAsync(enter(compiler, call, endless, data), { code: 'RUNNER_LOST' });
    return returned(2);
  });
  give(compiler, DOUBLE);
  const data = reserve(compiler, 'data', 8);
  const endless = await load(compiler, spin());
  const entry = await loadCaller(compiler);
  const message = /answered while its thread works for it/;
  await t.throwsAsync(call(compiler, entry, [0n, 0n]), { code: 'RUNNER_LOST', message });
  await working;
});
