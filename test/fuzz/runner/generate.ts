import { BellKind, CALL_SLOT_COUNT, ReentryKind, ReentryState } from '#executor/src/native/shared-layout.js';
import type { Random } from '../random.js';
import {
  ANSWERS,
  GRABS,
  HANDLERS,
  HEADER_BYTES,
  MAX_OPERATIONS,
  OPERATION_BYTES,
  OPERATIONS,
  type OperationName,
  operation,
  program,
  REQUESTS,
  STUB_COUNT,
  THREADS,
  VALUES,
  type ValueName,
  value,
} from './program.js';
import { SEEDS } from './seeds.js';

const SEED_INPUTS = Object.values(SEEDS);
const MAX_RANDOM_OPERATIONS = 20;
/** Numbers of x86-64, and what their arguments may mean: those that runners have need of, and that take any number of meanings. */
const SYSTEM_CALLS: Readonly<Record<number, readonly ValueName[]>> = {
  // read, write, close, fstat, poll, lseek
  0: ['small', 'control', 'small'],
  1: ['small', 'scratch', 'pages'],
  3: ['small'],
  5: ['small', 'scratch'],
  7: ['structure', 'small', 'small'],
  8: ['small', 'small', 'small'],
  // mmap, mprotect, munmap, brk
  9: ['dataPage', 'mebibytes', 'small', 'constant', 'minus', 'small'],
  10: ['control', 'pages', 'small'],
  11: ['control', 'pages'],
  12: ['small'],
  // rt_sigaction, rt_sigprocmask, mremap, madvise
  13: ['small', 'structure', 'structure', 'small'],
  14: ['small', 'structure', 'small', 'small'],
  25: ['dataPage', 'pages', 'mebibytes', 'small', 'control'],
  28: ['control', 'pages', 'small'],
  // clone, exit, kill, sigaltstack, prctl
  56: ['constant', 'scratch', 'scratch', 'scratch', 'small'],
  60: ['small'],
  62: ['threadId', 'small'],
  131: ['structure', 'small'],
  157: ['small', 'small', 'small', 'small', 'small'],
  // futex, set_robust_list, membarrier, rseq, tgkill
  202: ['reentry', 'small', 'small', 'structure', 'call', 'small'],
  234: ['threadId', 'threadId', 'small'],
  273: ['structure', 'small'],
  324: ['bit', 'small', 'small'],
  334: ['scratch', 'small', 'small', 'constant'],
};
const KNOWN_CALLS = Object.keys(SYSTEM_CALLS).map(Number);
const FUTEX = 202;
/** `FUTEX_PRIVATE_FLAG` and `FUTEX_CLOCK_REALTIME` leave the operation in the lower seven bits. */
const FUTEX_OPERATIONS = 14;
/** Signals that a program may send itself. */
const SIGNALS = [10, 12, 14, 17, 19, 20, 23, 24, 31, 34];
const VARYING = 0x80;

/** A program: one of the seeds, changed, or made of operations that know what they are for, or only of what programs may do. */
export function generateProgram(random: Random): Uint8Array {
  switch (random.below(10)) {
    case 0:
      return random.pick(SEED_INPUTS);
    case 1:
    case 2:
    case 3:
      return mutatedSeed(random);
    case 4:
      return soundProgram(random);
    default:
      return program(header(random), operations(random, 1 + random.below(MAX_RANDOM_OPERATIONS)));
  }
}

function header(random: Random) {
  return {
    timeMs: 20 + random.below(80),
    callsBeside: random.oneIn(3) ? random.below(random.pick([4, 80])) : 0,
    besideFrom: random.below(12),
    requests: random.oneIn(2) ? REQUESTS.filter(() => random.oneIn(3)) : [],
    answer: random.pick(ANSWERS),
  };
}

function operations(random: Random, count: number): Uint8Array[] {
  return Array.from({ length: count }, () => randomOperation(random));
}

/** What a seed does, with something else before, in between, instead, or at the same time. */
function mutatedSeed(random: Random): Uint8Array {
  const seed = random.pick(SEED_INPUTS);
  const list = split(seed);
  for (let changes = 1 + random.below(4); changes > 0; changes--) {
    const at = random.below(list.length);
    switch (random.below(5)) {
      case 0:
        list.splice(at, 1);
        break;
      case 1:
        list.splice(at, 0, randomOperation(random));
        break;
      case 2:
        list.splice(at, 0, ...split(random.pick(SEED_INPUTS)));
        break;
      default:
        list[at] = mutatedOperation(random, list[at] ?? randomOperation(random));
    }
  }
  const changed = program(header(random), list.slice(0, MAX_OPERATIONS));
  // Its own circumstances are part of what it tries.
  if (random.oneIn(2)) changed.set(seed.subarray(1, HEADER_BYTES), 1);
  return changed;
}

function split(input: Uint8Array): Uint8Array[] {
  const list: Uint8Array[] = [];
  for (let at = HEADER_BYTES; at + OPERATION_BYTES <= input.byteLength; at += OPERATION_BYTES)
    list.push(input.subarray(at, at + OPERATION_BYTES));
  return list;
}

function mutatedOperation(random: Random, one: Uint8Array): Uint8Array {
  const changed = Uint8Array.from(one);
  const at = random.below(OPERATION_BYTES);
  changed[at] = random.oneIn(2) ? random.below(256) : (changed[at] ?? 0) ^ (1 << random.below(8));
  // Names of operations mean more than their numbers.
  if (at === 0) changed[0] = random.below(OPERATIONS.length);
  return changed;
}

/** What programs may do, in any order and number: it must return, and all after it. */
function soundProgram(random: Random): Uint8Array {
  const stubs = 1 + random.below(4);
  const stub = (): Uint8Array => operation('stub', [random.below(STUB_COUNT), random.below(1000)]);
  const thread = () => operation('thread', [0, 1 + random.below(stubs)], THREADS.indexOf('ofProgram'));
  const pieces: (() => Uint8Array[])[] = [
    () => [stub()],
    () => [operation('count', [value('data', 1 + random.below(100)), random.below(500)])],
    () => [operation('nap', [random.below(100)])],
    () => [thread(), operation('join')],
    () => [operation('repeat', [3, 1 + random.below(30)]), thread(), operation('cancel'), operation('join')],
    () => [
      operation('handleSignal', [10], HANDLERS.indexOf('nothing')),
      operation('sendSignal', [10, value('threadId', 0)]),
    ],
  ];
  // Which threads do too.
  const list: Uint8Array[] = Array.from({ length: stubs }, stub);
  for (let count = random.below(8); count > 0; count--) list.push(...random.pick(pieces)());
  return program(
    {
      expectation: 'goesOn',
      timeMs: 1000,
      callsBeside: random.below(random.pick([2, 20])),
      requests: REQUESTS.filter((name) => name !== 'cancel' && random.oneIn(3)),
      answer: random.pick(['lands', 'landsAndStaysLazy', 'landsLate']),
    },
    list,
  );
}

function randomOperation(random: Random): Uint8Array {
  const name = random.pick(WEIGHTED);
  const make = MAKERS[name];
  // Now and then anything at all.
  if (!make || random.oneIn(12)) return operation(name, anyValues(random, 7), random.below(256));
  return make(random);
}

/** More often those in which hosts and runners meet. */
const WEIGHTED: readonly OperationName[] = [
  ...OPERATIONS,
  ...(['systemCall', 'systemCall', 'systemCall', 'systemCall', 'systemCall', 'systemCall'] as const),
  ...(['store', 'store', 'store', 'ring', 'ring', 'post', 'post', 'stub', 'thread', 'thread'] as const),
];

const MAKERS: Partial<Record<OperationName, (random: Random) => Uint8Array>> = {
  systemCall: (random) => {
    const number = random.oneIn(4) ? random.below(0x10000) : random.pick([FUTEX, ...KNOWN_CALLS]);
    const kinds = SYSTEM_CALLS[number] ?? [];
    const values = Array.from({ length: 6 }, (_, index) => {
      const kind = kinds[index];
      return kind === undefined || random.oneIn(5) ? anyValue(random) : value(kind, random.below(256));
    });
    if (number === FUTEX && !random.oneIn(5))
      values.splice(1, 2, value('small', random.below(FUTEX_OPERATIONS)), value('small', random.below(6)));
    return operation('systemCall', [number, ...values]);
  },
  store: (random) =>
    operation(
      'store',
      [
        value(
          random.pick([
            'reentry',
            'hostCall',
            'call',
            'ownCall',
            'head',
            'control',
            'data',
            'dataPart',
            'hotPages',
          ] as const),
          random.below(256),
        ),
        random.oneIn(2) ? value('small', random.below(6)) : anyValue(random),
        random.oneIn(3) ? random.below(2000) : 0,
        random.pick([4, 8, 64]),
      ],
      random.below(4) | (random.oneIn(4) ? VARYING : 0),
    ),
  ring: (random) =>
    operation(
      'ring',
      [
        value('small', random.pick([...Object.values(BellKind), 3, 4, 5, 6, 6, 6])),
        random.oneIn(3)
          ? value('ownNumber')
          : value('small', random.below(random.pick([4, CALL_SLOT_COUNT, 256]))),
        anyValue(random),
        random.oneIn(4) ? random.below(20_000) : 1,
      ],
      random.oneIn(8) ? random.below(8) : random.pick([0, VARYING]),
    ),
  post: (random) =>
    operation('post', [
      random.below(256),
      value('small', random.oneIn(4) ? random.below(4) : ReentryKind.compile),
      value('trampoline', random.below(STUB_COUNT)),
      value('threadId', random.below(4)),
      value('small', random.oneIn(4) ? random.below(7) : ReentryState.posted),
    ]),
  stub: (random) => operation('stub', [random.below(STUB_COUNT), random.below(100)]),
  count: (random) => operation('count', [value('data', random.below(64)), random.below(300)]),
  thread: (random) =>
    operation(
      'thread',
      [random.below(MAX_RANDOM_OPERATIONS), 1 + random.below(6)],
      random.below(THREADS.length),
    ),
  join: (random) => operation('join', [random.below(3)]),
  cancel: (random) => operation('cancel', [random.below(3)]),
  handleSignal: (random) => operation('handleSignal', [random.pick(SIGNALS)], random.below(HANDLERS.length)),
  sendSignal: (random) => operation('sendSignal', [random.pick(SIGNALS), value('threadId', random.below(5))]),
  nap: (random) => operation('nap', [random.below(600)]),
  waitFor: (random) =>
    operation('waitFor', [value('reentry', random.below(256)), value('small', random.below(6))]),
  touch: (random) =>
    operation('touch', [
      value(random.pick(['dataPage', 'scratch', 'result'] as const)),
      value('pages', random.below(256)),
    ]),
  grab: (random) => operation('grab', [random.below(20_000)], random.below(GRABS.length * 7)),
  print: (random) => operation('print', [random.below(random.pick([4, 2000]))], 1 + random.below(2)),
  repeat: (random) => operation('repeat', [1 + random.below(4), random.below(random.pick([10, 300]))]),
};

function anyValue(random: Random): number {
  return value(random.pick(VALUES), random.below(256));
}

function anyValues(random: Random, count: number): number[] {
  return Array.from({ length: count }, () => anyValue(random));
}
