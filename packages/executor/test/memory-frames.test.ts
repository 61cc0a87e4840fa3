import { type FinalizeAction, memory as limits } from '@farjit/protocol';
import { addrAdd } from '@farjit/protocol/executor-addr';
import test from 'ava';
import { FRAME_NODE_BYTES } from '../src/native/shared-layout.js';
import { finish } from './finish.js';
import { ehFramesOf } from './machine-code.js';
import { MIB, prepare, roomy, TERMINATOR } from './memory-fixture.js';
import { commitOf, deregisters, registers, segmentOf } from './session-fixture.js';

test('one commit may deregister EH frames and register others in their place', (t) => {
  const { memory, constant } = prepare(t);
  const [comes, goes] = [registers(constant, TERMINATOR), deregisters(constant, TERMINATOR)];
  const does = (...actions: FinalizeAction[]) => finish(memory.apply(commitOf({ actions })));
  does(comes);
  t.throws(() => does(comes), { message: /registered already/ });
  t.throws(() => does(deregisters(constant, new Uint8Array(8))), { message: /no EH frames of 8 bytes/ });
  // In whatever order it names them.
  t.notThrows(() => does(comes, goes));
  t.throws(() => does(goes, comes, comes), { message: /registered already/ });
  t.notThrows(() => does(goes));
  t.throws(() => does(goes), { message: /no EH frames/ });
});

test('registered EH frames are bounded', (t) => {
  const { memory, data: start } = prepare(t, roomy);
  const { MAX_FINALIZE_ACTIONS, MAX_REGISTERED_FRAMES } = limits;
  const register = (first: number, count: number) =>
    finish(
      memory.apply(
        commitOf({
          actions: Array.from({ length: count }, (_, index) =>
            registers(addrAdd(start, 4 * (first + index)), TERMINATOR),
          ),
        }),
      ),
    );
  let count = 0;
  while (count + MAX_FINALIZE_ACTIONS <= MAX_REGISTERED_FRAMES) {
    register(count, MAX_FINALIZE_ACTIONS);
    count += MAX_FINALIZE_ACTIONS;
  }
  register(count, MAX_REGISTERED_FRAMES - count);
  t.throws(() => register(MAX_REGISTERED_FRAMES, 1), {
    code: 'LIMIT_EXCEEDED',
    message: /131072 registered EH frames/,
  });
  finish(memory.apply(commitOf({ actions: [deregisters(start, TERMINATOR)] })));
  t.notThrows(() => register(MAX_REGISTERED_FRAMES, 1));
});

test('EH frames are read before anything is written, as they will be, and no more than there may be', (t) => {
  const { memory, constant } = prepare(t, roomy);
  const { MAX_EH_FRAME_BYTES } = limits;
  // A record of the greatest length there may be, over and over.
  const endless = new Uint8Array(MIB);
  const view = new DataView(endless.buffer);
  for (let at = 0; at < MIB; at += 1024) {
    view.setUint32(at, 1020, true);
    // A CIE without an augmentation.
    endless[at + 8] = 1;
  }
  const segments = [segmentOf(constant, 'constant', endless)];
  const apply = (...actions: FinalizeAction[]) => finish(memory.apply(commitOf({ segments, actions })));
  t.throws(() => apply(registers(constant, endless)), { code: 'INVALID_PARAMS', message: /no terminator/ });
  t.true(memory.read(constant, MIB).equals(Buffer.alloc(MIB)));
  t.throws(() => apply({ ...registers(constant, endless), sizeBytes: MAX_EH_FRAME_BYTES + 1 }), {
    code: 'LIMIT_EXCEEDED',
    message: `${MAX_EH_FRAME_BYTES + 1} bytes of EH frames, a commit carries ${MAX_EH_FRAME_BYTES}`,
  });
  // What lies behind them as it is now ends them.
  t.notThrows(() => apply({ ...registers(constant, endless), sizeBytes: MIB + 4 }));
});

test('EH frames beyond the room of their index are refused, and nothing changed', (t) => {
  const { memory, code, constant, data } = prepare(t);
  const capacity = Math.floor(memory.layout.frameNodes.sizeBytes / FRAME_NODE_BYTES);
  const section = ehFramesOf(Array.from({ length: capacity }, (_, index) => code + BigInt(8 * index)));
  const one = ehFramesOf([code]);
  const segments = [segmentOf(data, 'data', section), segmentOf(constant, 'constant', one)];
  finish(memory.apply(commitOf({ segments, actions: [registers(data, section)] })));
  const more = commitOf({ actions: [registers(constant, one)] });
  t.throws(() => finish(memory.apply(more)), {
    code: 'LIMIT_EXCEEDED',
    message: /no room for 1 more EH frames/,
  });
  finish(memory.apply(commitOf({ actions: [deregisters(data, section)] })));
  t.notThrows(() => finish(memory.apply(more)));
});
