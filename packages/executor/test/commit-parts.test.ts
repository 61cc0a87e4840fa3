import { type Commit, type CommitPart, memory, type Segment } from '@farjit/protocol';
import { addrAdd, type ExecutorAddr, toExecutorAddr } from '@farjit/protocol/executor-addr';
import test, { type ThrowsExpectation } from 'ava';
import { createHostResources } from '../src/index.js';
import { storeConstant } from './machine-code.js';
import {
  callDouble,
  commitOf,
  emitStub,
  load,
  openSession,
  reserve,
  segmentOf,
  startRunner,
  type TestCompiler,
} from './session-fixture.js';

const MIB = 1024 * 1024;
const PART_BYTES = 3 * MIB;
/** 1.0 as a double. */
const ONE = 0x3ff0_0000_0000_0000n;
const host = createHostResources();

function stage({ connection }: TestCompiler, generation: number, part: Partial<CommitPart>): void {
  connection.notify(memory.stageCommit, { segments: [], pointers: [], ...part }, generation);
}

function apply({ connection, live }: TestCompiler, commit: Partial<Commit>) {
  return connection.request(memory.commitMemory, { commit: commitOf(commit) }, live);
}

async function read({ connection, live }: TestCompiler, address: ExecutorAddr, sizeBytes: number) {
  const { content } = await connection.request(memory.readMemory, { address, sizeBytes }, live);
  return Buffer.from(content);
}

/** Three pieces of constant memory, each other bytes. */
async function pieces(compiler: TestCompiler) {
  const start = reserve(compiler, 'constant', 3 * PART_BYTES);
  const segments = [1, 2, 3].map((mark, index) =>
    segmentOf(addrAdd(start, index * PART_BYTES), 'constant', new Uint8Array(PART_BYTES).fill(mark)),
  );
  /** First and last byte of each. */
  const marks = async () => {
    const all: number[] = [];
    for (const { address } of segments)
      for (const offset of [0, PART_BYTES - 1])
        all.push((await read(compiler, addrAdd(address, offset), 1))[0] ?? -1);
    return all;
  };
  return { segments, marks };
}

test('a commit in parts changes nothing before it is whole, and then all of it', async (t) => {
  const compiler = await openSession(t, host);
  const { segments, marks } = await pieces(compiler);
  const { pointer } = await emitStub(compiler);
  const [first, second, third] = segments;
  if (!first || !second || !third) return t.fail();
  const target = toExecutorAddr(0x1234n);
  stage(compiler, 1, { segments: [first], pointers: [{ address: pointer, value: target }] });
  stage(compiler, 1, { segments: [second] });
  t.deepEqual(await marks(), [0, 0, 0, 0, 0, 0]);
  t.not((await read(compiler, pointer, 8)).readBigUInt64LE(), target);
  await apply(compiler, { segments: [third], stagedParts: 2 });
  t.deepEqual(await marks(), [1, 1, 2, 2, 3, 3]);
  t.is<bigint, bigint>((await read(compiler, pointer, 8)).readBigUInt64LE(), target);
});

test('a commit whose parts are wrong or missing is refused, and the next runner has nothing of them', async (t) => {
  const compiler = await openSession(t, host);
  type Pieces = readonly [Segment, Segment, ...Segment[]];
  const refusals: [(pieces: Pieces) => Promise<unknown>, ThrowsExpectation<Error>][] = [
    [
      ([first, second]) => {
        stage(compiler, compiler.live.generation, { segments: [first] });
        return apply(compiler, { segments: [second], stagedParts: 2 });
      },
      { code: 'INVALID_PARAMS' },
    ],
    [
      ([first, second]) => {
        const outside = { ...second, address: toExecutorAddr(0x1000n) };
        stage(compiler, compiler.live.generation, { segments: [outside] });
        return apply(compiler, { segments: [first], stagedParts: 1 });
      },
      { code: 'INVALID_ADDRESS' },
    ],
    [
      ([first]) => {
        stage(compiler, compiler.live.generation, { segments: [first] });
        return apply(compiler, { segments: [first], stagedParts: 1 });
      },
      { message: /overlap/ },
    ],
    [
      ([first, second]) => {
        for (let i = 0; i < 6; i++) stage(compiler, compiler.live.generation, { segments: [first] });
        return apply(compiler, { segments: [second], stagedParts: 6 });
      },
      { code: 'LIMIT_EXCEEDED' },
    ],
  ];
  for (const [refused, expected] of refusals) {
    const { segments } = await pieces(compiler);
    await t.throwsAsync(refused(segments as unknown as Pieces), expected);
    await startRunner(compiler);
  }
  const { segments, marks } = await pieces(compiler);
  const [first, second] = segments;
  if (!first || !second) return t.fail();
  t.deepEqual(await marks(), [0, 0, 0, 0, 0, 0]);
  stage(compiler, compiler.live.generation, { segments: [first] });
  await apply(compiler, { segments: [second], stagedParts: 1 });
  t.deepEqual(await marks(), [1, 1, 2, 2, 0, 0]);
});

test('parts are of one runner, and go with it', async (t) => {
  const compiler = await openSession(t, host);
  const { segments } = await pieces(compiler);
  const [first] = segments;
  if (!first) return t.fail();
  stage(compiler, 1, { segments: [first] });
  await startRunner(compiler);
  // Of the runner that is gone, of one that there is not yet, and of this one.
  for (const generation of [1, 3, 2]) stage(compiler, generation, { segments: [first] });
  await t.throwsAsync(apply(compiler, { stagedParts: 3 }), { message: /where 1 were staged/ });
  await startRunner(compiler);
  const last = reserve(compiler, 'constant', PART_BYTES);
  for (const generation of [2, 3]) stage(compiler, generation, { segments: [{ ...first, address: last }] });
  await apply(compiler, { stagedParts: 1 });
  t.is((await read(compiler, last, 1))[0], 1);
});

test('a session that ends between the parts leaves nothing behind', async (t) => {
  const compiler = await openSession(t, host);
  const { segments } = await pieces(compiler);
  for (const segment of segments) stage(compiler, 1, { segments: [segment] });
  compiler.connection.close();
  await compiler.session.ended;
  t.is(compiler.session.runner, undefined);
});

test('what comes after a large commit sees all of it, and finds its code', async (t) => {
  const compiler = await openSession(t, host);
  const { connection, live } = compiler;
  const start = reserve(compiler, 'data', 12 * MIB);
  const segments = [0, 1, 2, 3].map((index) =>
    segmentOf(addrAdd(start, index * PART_BYTES), 'data', new Uint8Array(PART_BYTES).fill(7)),
  );
  const last = addrAdd(start, 4 * PART_BYTES - 1);
  for (let round = 0; round < 3; round++) {
    for (const segment of segments.slice(0, 3)) stage(compiler, 1, { segments: [segment] });
    const applied = apply(compiler, { segments: segments.slice(3), stagedParts: 3 });
    const seen = read(compiler, last, 1);
    // The next commit clears it again, and its own successor sees that.
    const empty = { ...segmentOf(start, 'data', new Uint8Array(0)), memoryBytes: 12 * MIB };
    const cleared = connection.request(
      memory.commitMemory,
      { commit: commitOf({ segments: [empty] }) },
      live,
    );
    const after = read(compiler, last, 1);
    await Promise.all([applied, cleared]);
    t.deepEqual([[...(await seen)], [...(await after)]], [[7], [0]]);
  }
  t.is(await callDouble(compiler, await load(compiler, storeConstant(ONE))), 1);
});
