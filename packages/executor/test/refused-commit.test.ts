import { type Commit, type MemProt, memory, type PointerWrite, run, session } from '@farjit/protocol';
import { type ExecutorAddr, toExecutorAddr } from '@farjit/protocol/executor-addr';
import test from 'ava';
import { createHostResources } from '../src/index.js';
import { callDouble as callDoubleCode } from './machine-code.js';
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
  until,
} from './session-fixture.js';

const host = createHostResources();
const RETURN = Uint8Array.of(0xc3);
/** In nobody's memory. */
const OUTSIDE = toExecutorAddr(0x1000n);

function send({ connection, live }: TestCompiler, commit: Partial<Commit>): Promise<unknown> {
  return connection.request(memory.commitMemory, { commit: commitOf(commit) }, live);
}

/** A call that is sent behind a refused commit, and which counts on it. */
async function prepare(compiler: TestCompiler) {
  const { stub, pointer } = await emitStub(compiler);
  const entry = await load(compiler, callDoubleCode(stub));
  const code = reserve(compiler, 'code', 16);
  const connected: PointerWrite = { address: pointer, value: code };
  return {
    code,
    /** What leads to the code that is not there. */
    behind: () =>
      Promise.allSettled([send(compiler, { pointers: [connected] }), callDouble(compiler, entry, 1)]),
  };
}

const refusedSegment = (address: ExecutorAddr, prot: MemProt = 'code') => segmentOf(address, prot, RETURN);

/** Ways in which what brings code is refused: by what it is, by how it is said, and for what it came with. */
const REFUSALS: Readonly<Record<string, (compiler: TestCompiler, code: ExecutorAddr) => Promise<unknown>>> = {
  'a segment beyond the session’s memory': (compiler, code) =>
    send(compiler, { segments: [refusedSegment(code), refusedSegment(OUTSIDE)] }),
  'parts that were never staged': (compiler, code) =>
    send(compiler, { segments: [refusedSegment(code)], stagedParts: 1 }),
  'more entries than a message has': (compiler, code) =>
    send(compiler, {
      segments: [refusedSegment(code)],
      pointers: Array.from({ length: memory.MAX_MESSAGE_ENTRIES + 1 }, () => ({
        address: code,
        value: code,
      })),
    }),
  'a call whose own answer is malformed': (compiler, code) =>
    compiler.connection.request(
      run.callAndRead,
      {
        entry: code,
        block: new Uint8Array(0),
        commit: commitOf({ segments: [refusedSegment(code)] }),
        read: { address: code, sizeBytes: run.MAX_READ_BYTES + 1 },
      },
      compiler.live,
    ),
};

for (const [title, refused] of Object.entries(REFUSALS))
  test(`nothing is applied behind ${title}, and the runner ends`, async (t) => {
    const compiler = await openSession(t, host);
    const { connection } = compiler;
    const { code, behind } = await prepare(compiler);
    const before = await connection.request(session.sessionStatus, {});
    const [error, [commit, call]] = await Promise.all([t.throwsAsync(refused(compiler, code)), behind()]);
    for (const outcome of [commit, call])
      t.regex((outcome as PromiseRejectedResult).reason.code, /^(RUNNER_LOST|STALE_GENERATION)$/);
    await until(() => compiler.lost.length === 1);
    const message = `a commit was refused: ${error?.message}`;
    t.deepEqual(compiler.lost, [{ generation: 1, end: { kind: 'fault', message } }]);
    const after = await connection.request(session.sessionStatus, {});
    t.deepEqual([after.commitsApplied, after.callsStarted], [before.commitsApplied, before.callsStarted]);
    await startRunner(compiler);
    const again = await prepare(compiler);
    await send(compiler, { segments: [refusedSegment(again.code)] });
    t.deepEqual(
      (await again.behind()).map(({ status }) => status),
      ['fulfilled', 'fulfilled'],
    );
  });

test('a call that is refused and comes with nothing ends nothing', async (t) => {
  const compiler = await openSession(t, host);
  const { code } = await prepare(compiler);
  const { connection, live } = compiler;
  const call = (commit: Commit) =>
    connection.request(
      run.callAndRead,
      { entry: code, block: new Uint8Array(0), commit, read: { address: code, sizeBytes: -1 } },
      live,
    );
  await t.throwsAsync(call(commitOf()), { code: 'INVALID_PARAMS' });
  await send(compiler, { segments: [segmentOf(code, 'code', RETURN)] });
  t.deepEqual(compiler.lost, []);
  t.is(compiler.session.runner?.generation, 1);
});
