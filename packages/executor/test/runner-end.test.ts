import test from 'ava';
import { chooseAbi } from '../src/abi/choose-abi.js';
import type { EndSnapshot } from '../src/control-area.js';
import { DEFAULT_LIMITS } from '../src/limits.js';
import { EndKind } from '../src/native/shared-layout.js';
import { describeEnd } from '../src/runner-end.js';

const NOTHING: EndSnapshot = {
  kind: EndKind.none,
  signal: 0,
  signalCode: 0,
  threadId: 0,
  stackOverflow: false,
  faultAddress: 0n,
  programCounter: 0n,
  registers: [],
  frames: [],
  message: '',
};
const { registerNames: REGISTER_NAMES } = chooseAbi();
const LIMITS = { ...DEFAULT_LIMITS, cpu: 7 };
const exited = (code: number) => ({ code, signal: null });
const killed = (signal: NodeJS.Signals) => ({ code: null, signal });

test('without a word of its own, a runner has ended as the system says', (t) => {
  t.deepEqual(describeEnd(NOTHING, exited(3), LIMITS, REGISTER_NAMES), { kind: 'exit', status: 3 });
  t.deepEqual(describeEnd(NOTHING, exited(0), LIMITS, REGISTER_NAMES), { kind: 'exit', status: 0 });
  t.deepEqual(describeEnd(NOTHING, killed('SIGABRT'), LIMITS, REGISTER_NAMES), {
    kind: 'signal',
    signal: 'SIGABRT',
  });
});

test('the signals of limits are limits, where they are set', (t) => {
  t.deepEqual(describeEnd(NOTHING, killed('SIGXCPU'), LIMITS, REGISTER_NAMES), {
    kind: 'limit',
    limit: { name: 'cpu', value: 7 },
  });
  t.deepEqual(describeEnd(NOTHING, killed('SIGXCPU'), { ...LIMITS, cpu: null }, REGISTER_NAMES), {
    kind: 'signal',
    signal: 'SIGXCPU',
  });
  t.deepEqual(describeEnd(NOTHING, killed('SIGXFSZ'), { ...LIMITS, 'file-size': 9 }, REGISTER_NAMES), {
    kind: 'limit',
    limit: { name: 'file-size', value: 9 },
  });
  t.deepEqual(describeEnd(NOTHING, killed('SIGXFSZ'), { ...LIMITS, 'file-size': null }, REGISTER_NAMES), {
    kind: 'signal',
    signal: 'SIGXFSZ',
  });
});

test('what the runner says counts more', (t) => {
  const failed = { ...NOTHING, kind: EndKind.unwindFailed };
  t.deepEqual(describeEnd(failed, exited(70), LIMITS, REGISTER_NAMES), { kind: 'unwind-failed' });
  const fault = { ...NOTHING, kind: EndKind.fault };
  t.deepEqual(describeEnd({ ...fault, message: 'why' }, exited(70), LIMITS, REGISTER_NAMES), {
    kind: 'fault',
    message: 'why',
  });
  t.deepEqual(describeEnd(fault, exited(70), LIMITS, REGISTER_NAMES), {
    kind: 'fault',
    message: 'the runner could not go on',
  });
  t.deepEqual(describeEnd({ ...NOTHING, kind: 99 }, exited(1), LIMITS, REGISTER_NAMES), {
    kind: 'exit',
    status: 1,
  });
});

test('a trap has its registers by name, and a signal that there is not by number', (t) => {
  const trap: EndSnapshot = {
    ...NOTHING,
    kind: EndKind.trap,
    signal: 8,
    signalCode: 1,
    threadId: 5,
    stackOverflow: true,
    faultAddress: 0xffff_ffff_ffff_fff0n,
    programCounter: 0x1234n,
    registers: REGISTER_NAMES.map((_, index) => BigInt(100 + index)),
    frames: [1n, 2n],
  };
  const end = describeEnd(trap, killed('SIGFPE'), LIMITS, REGISTER_NAMES);
  t.deepEqual(end as unknown, {
    kind: 'trap',
    trap: {
      signal: 'SIGFPE',
      signalCode: 1,
      threadId: 5,
      stackOverflow: true,
      faultAddress: 0xffff_ffff_ffff_fff0n,
      programCounter: 0x1234n,
      registers: Object.fromEntries(REGISTER_NAMES.map((name, index) => [name, BigInt(100 + index)])),
      frames: [1n, 2n],
    },
  });
  t.like(describeEnd({ ...trap, signal: 0 }, killed('SIGFPE'), LIMITS, REGISTER_NAMES), {
    trap: { signal: 'signal 0' },
  });
});
