import { memory, run } from '@farjit/protocol';
import { addrAdd, type ExecutorAddr } from '@farjit/protocol/executor-addr';
import test from 'ava';
import { createHostResources } from '../src/index.js';
import { asksForItsFrame, CALL_VOID_PROLOGUE_BYTES, callUntil, ehFrameOf } from './machine-code.js';
import {
  commitOf,
  deregisters as deregistersFrames,
  emitStub,
  lookup,
  openSession,
  registers,
  reserve,
  segmentOf,
  until,
} from './session-fixture.js';

const host = createHostResources();
const VERSIONS = 200;
const FUNCTION_BYTES = 128;
const FRAME_BYTES = 256;
/** Places in the data memory. */
const STOP = 0;
const MISSED = 8;
const SEEN = 64;

/**
 * A thread calls through a stub without a pause, and each version of the function behind it asks the unwinder for its own
 * frame. So a pointer that is stored before the frame is known shows, however short the time between them.
 */
for (const deregisters of [false, true])
  test(`a thread that spins on a stub never runs code that the unwinder does not know${deregisters ? ', while other code goes' : ''}`, async (t) => {
    const compiler = await openSession(t, host);
    const { connection, live } = compiler;
    const find = await lookup(compiler, '_Unwind_FindEnclosingFunction');
    const { stub, pointer } = await emitStub(compiler);
    const code = reserve(compiler, 'code', VERSIONS * FUNCTION_BYTES);
    const frames = reserve(compiler, 'constant', VERSIONS * FRAME_BYTES);
    const data = reserve(compiler, 'data', 4096);

    const commitVersion = async (version: number) => {
      const address = addrAdd(code, version * FUNCTION_BYTES);
      const frame = addrAdd(frames, version * FRAME_BYTES);
      const content = asksForItsFrame(find, addrAdd(data, MISSED), addrAdd(data, SEEN + version));
      const eh = ehFrameOf(address, content.byteLength, CALL_VOID_PROLOGUE_BYTES);
      const old = addrAdd(frames, (version - 2) * FRAME_BYTES);
      const gone = deregisters && version >= 2 ? [deregistersFrames(old, eh)] : [];
      const commit = commitOf({
        segments: [segmentOf(address, 'code', content), segmentOf(frame, 'constant', eh)],
        pointers: [{ address: pointer, value: address }],
        actions: [...gone, registers(frame, eh)],
      });
      await connection.request(memory.commitMemory, { commit }, live);
    };
    const read = async (offset: number, sizeBytes: number) => {
      const params = { address: addrAdd(data, offset), sizeBytes };
      const { content } = await connection.request(memory.readMemory, params, live);
      return Buffer.from(content);
    };

    await commitVersion(0);
    const entry = reserve(compiler, 'code', 64);
    const spinning = connection.request(
      run.call,
      {
        entry,
        block: new Uint8Array(0),
        commit: commitOf({ segments: [segmentOf(entry, 'code', callUntil(stub, addrAdd(data, STOP)))] }),
      },
      live,
    );
    for (let version = 0; version < VERSIONS; version++) {
      if (version > 0) await commitVersion(version);
      await until(async () => (await read(SEEN + version, 1)).readUInt8() === 1);
    }
    t.is((await read(MISSED, 4)).readUInt32LE(), 0);
    const stop: ExecutorAddr = addrAdd(data, STOP);
    const commit = commitOf({ segments: [segmentOf(stop, 'data', Uint8Array.of(1, 0, 0, 0))] });
    await connection.request(memory.commitMemory, { commit }, live);
    await spinning;
    t.is(compiler.lost.length, 0);
    t.is(compiler.reenterCount(), 0);
  });
