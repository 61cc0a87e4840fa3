import { constants } from 'node:os';
import {
  BellKind,
  CALL_SLOT,
  CALL_SLOT_BYTES,
  CallState,
  CONFINE,
  CONTROL,
  END,
  EndKind,
  HOST_CALL_SLOT,
  HOT_BITS_OFFSET,
  HostCallState,
  ReentryKind,
  ReentryState,
} from '#executor/src/native/shared-layout.js';
import { GRABS, HANDLERS, operation, program, THREADS, value } from './program.js';

const NAP_UNIT_US = 16;
/** System calls by their numbers on x86-64. */
const SYSTEM_CALLS = { close: 3, mmap: 9, kill: 62, futex: 202, exitGroup: 231, setRobustList: 273 } as const;
/** `FUTEX_*` of linux/futex.h. */
const FUTEX = { wake: 1, waitRequeuePi: 11 } as const;
/** A slot that the runner itself takes only when 200 threads wait. */
const SLOT = 200;
/** Of the data part: beyond what the compiler reserves in it. */
const HIGHEST_MEBIBYTE = 60;
/** With this in it, values count up, or differ. */
const VARYING = 0x80;
const WORD_STORES = { u32: 2, u64: 3 } as const;
/** `MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED`. */
const MAP_OVER = value('constant', 2);
const { SIGUSR1, SIGSTOP } = constants.signals;

const small = (which: number) => value('small', which);
const nap = (ms: number) => operation('nap', [Math.ceil((ms * 1000) / NAP_UNIT_US)]);
const RETURN = operation('return');
const system = (name: keyof typeof SYSTEM_CALLS, ...values: number[]) =>
  operation('systemCall', [SYSTEM_CALLS[name], ...values]);
const ring = (kind: number, slot = small(0), bellValue = small(0), count = 1, mode = 0) =>
  operation('ring', [small(kind), slot, bellValue, count], mode);
const post = (slot: number, kind = small(ReentryKind.compile), argument = value('trampoline', 3)) =>
  operation('post', [slot, kind, argument, value('threadId', 1), small(ReentryState.posted)]);
const thread = (kind: (typeof THREADS)[number], first: number, count: number) =>
  operation('thread', [first, count], THREADS.indexOf(kind));
const grab = (kind: (typeof GRABS)[number], mib: number, variant = 0) =>
  operation('grab', [mib * 256], GRABS.indexOf(kind) + GRABS.length * variant);
const head = (offset: number) => value('head', offset / 8);
const storeWord = (address: number, what: number) => operation('store', [address, what], WORD_STORES.u32);

/** What the runner does before it rings HOT, by hand: the bit of the first page of a mebibyte, and bits of its counters. */
const hot = (mebibyte: number, bits: number) => [
  storeWord(value('hotPages', mebibyte), small(1)),
  operation('store', [value('dataPart', mebibyte), bits, 1, HOT_BITS_OFFSET], WORD_STORES.u32),
];

const breach = (...operations: Uint8Array[]) =>
  program({ expectation: 'isEnded', timeMs: 2000, answer: 'landsLate' }, [...operations, nap(60), RETURN]);
const sound = (options: Parameters<typeof program>[0], ...operations: Uint8Array[]) =>
  program({ expectation: 'goesOn', timeMs: 1500, ...options }, operations);
const holding = (...operations: Uint8Array[]) =>
  program({ expectation: 'isBounded', timeMs: 900 }, [...operations, nap(900), RETURN]);

const hostCallField = (offset: number, what: number) =>
  operation('store', [value('hostCall', SLOT), what, 1, offset], WORD_STORES.u32);
const postHostCall = storeWord(value('hostCall', SLOT), small(HostCallState.posted));

/** Programs of which each tries one thing. A random one is made of pieces of these, of others, and of neither. */
export const SEEDS = {
  // The contract of the doorbell, broken.
  'a bell of no kind': breach(ring(99)),
  'a second HELLO': breach(ring(BellKind.hello)),
  'a second CONFINED': breach(ring(BellKind.confined)),
  'DONE without work': breach(ring(BellKind.done)),
  'CALL_DONE without a call': breach(ring(BellKind.callDone, small(63))),
  'CALL_DONE of a slot that says it is done': breach(
    storeWord(value('call', 63), small(CallState.returned)),
    ring(BellKind.callDone, small(63)),
  ),
  'CALL_DONE of a slot that is none': breach(ring(BellKind.callDone, small(64))),
  'CALL_DONE of a call that runs': breach(ring(BellKind.callDone, value('ownNumber'))),
  'REENTER of a slot that is free': breach(ring(BellKind.reenter, small(3))),
  'REENTER of a slot that has been released': breach(
    operation('stub', [1, 1]),
    ring(BellKind.reenter, small(0)),
  ),
  'REENTER of a slot far beyond the last': breach(ring(BellKind.reenter, value('minus', 1))),
  'REENTER of a slot that is none': breach(ring(BellKind.reenter, value('bit', 8))),
  'a reentry slot posted twice': breach(post(SLOT), ring(BellKind.reenter, small(SLOT), small(0), 2)),
  'a reentry of no kind': breach(post(SLOT, small(77)), ring(BellKind.reenter, small(SLOT))),
  'a reentry from no trampoline': breach(
    post(SLOT, small(ReentryKind.compile), value('stubAddress')),
    ring(BellKind.reenter, small(SLOT)),
  ),
  'HOT where no counter is': breach(...hot(HIGHEST_MEBIBYTE, small(0xff)), ring(BellKind.hot)),
  'HOT of what is no counter': breach(...hot(1, small(1)), ring(BellKind.hot)),
  'HOT again before anybody has looked': breach(ring(BellKind.hot, small(0), small(0), 8)),
  'HOST_CALL of a slot that is free': breach(ring(BellKind.hostCall, small(3))),
  'HOST_CALL of a slot that is none': breach(ring(BellKind.hostCall, value('bit', 8))),
  'a host call of what was not given': breach(
    hostCallField(HOST_CALL_SLOT.function, small(9)),
    postHostCall,
    ring(BellKind.hostCall, small(SLOT)),
  ),
  'a host call with what is of another type': breach(
    hostCallField(HOST_CALL_SLOT.function, small(1)),
    hostCallField(HOST_CALL_SLOT.argumentCount, small(1)),
    hostCallField(HOST_CALL_SLOT.words + 8, small(200)),
    postHostCall,
    ring(BellKind.hostCall, small(SLOT)),
  ),
  'a host call that comes back from nowhere': breach(
    storeWord(value('hostCall', SLOT), small(HostCallState.returned)),
    ring(BellKind.hostCall, small(SLOT)),
  ),
  'a limit of no name': breach(ring(BellKind.limit, small(0), small(77))),
  'a limit reached twice': breach(ring(BellKind.limit, small(0), small(2), 2)),
  'a call that ends its own thread': breach(operation('exitThread')),
  'more output than is allowed': breach(operation('print', [4096], 1)),

  'a host call posted by hand': sound({}, postHostCall, ring(BellKind.hostCall, small(SLOT)), nap(30)),

  // Waiting where the host wakes.
  'a reentry slot waited for with a PI operation': program({ answer: 'landsLate' }, [
    post(SLOT),
    thread('ofLibc', 6, 1),
    nap(5),
    ring(BellKind.reenter, small(SLOT)),
    nap(60),
    RETURN,
    system(
      'futex',
      value('reentry', SLOT),
      small(FUTEX.waitRequeuePi),
      small(ReentryState.posted),
      small(0),
      value('scratch', 1),
    ),
  ]),
  'a call slot waited for with a PI operation': program({ callsBeside: 80, besideFrom: 4 }, [
    thread('bare', 3, 1),
    nap(10),
    RETURN,
    system(
      'futex',
      value('ownCall'),
      small(FUTEX.waitRequeuePi),
      small(CallState.running),
      small(0),
      value('scratch', 1),
    ),
    nap(30),
    RETURN,
  ]),
  'a lock that its dead owner leaves on a reentry slot': program({ answer: 'landsLate' }, [
    post(SLOT),
    ring(BellKind.reenter, small(SLOT)),
    thread('bare', 5, 3),
    nap(60),
    RETURN,
    system('setRobustList', value('structure', 6), small(24)),
    operation('exitThread', [], 1),
  ]),

  // More than the host should have to hear, see or hold.
  'a flood of HOT': program({ timeMs: 1000 }, [ring(BellKind.hot, small(0), small(0), 0xffff, VARYING)]),
  'the maps of a runner that has many': program({ timeMs: 300, requests: ['maps', 'many'] }, [
    grab('mappings', 63),
    nap(50),
  ]),

  // Memory, where the host does not look.
  'memory that is shared with nobody': holding(grab('shared', 150)),
  'memory of its own': holding(grab('private', 150)),
  'memory that grows down': holding(grab('private', 150, 1)),
  'the heap': holding(grab('heap', 150)),
  'session memory dropped from view': holding(grab('sessionMemory', 48), grab('private', 48)),
  'page tables': holding(grab('pageTables', 250)),
  'memory after the first thread has ended': holding(
    operation('handleSignal', [SIGUSR1], HANDLERS.indexOf('endThread')),
    operation('sendSignal', [SIGUSR1, value('threadId', 0)]),
    nap(20),
    grab('sessionMemory', 48),
    grab('private', 48),
  ),

  // What programs may do.
  'first calls': sound({}, ...Array.from({ length: 16 }, (_, index) => operation('stub', [index, index]))),
  'first calls of many threads at one stub': sound(
    { answer: 'landsLate' },
    operation('repeat', [1, 60]),
    thread('ofProgram', 4, 1),
    operation('stub', [2, 5]),
    RETURN,
    operation('stub', [2, 9]),
  ),
  'threads cancelled before their first call': sound(
    {},
    operation('repeat', [5, 300]),
    storeWord(value('data', 1), small(0)),
    thread('ofProgram', 8, 2),
    operation('cancel'),
    storeWord(value('data', 1), small(1)),
    operation('join'),
    operation('stub', [1, 3]),
    RETURN,
    operation('waitFor', [value('data', 1), small(1)]),
    operation('stub', [0, 1]),
  ),
  'threads cancelled at once in their first call': sound(
    { answer: 'landsAndStaysLazy' },
    operation('repeat', [5, 300]),
    storeWord(value('data', 1), small(0)),
    thread('ofProgram', 8, 3),
    operation('waitFor', [value('data', 1), small(1)]),
    operation('cancel'),
    operation('join'),
    operation('stub', [1, 3]),
    RETURN,
    operation('cancellable', [], 1),
    storeWord(value('data', 1), small(1)),
    operation('stub', [0, 1]),
  ),
  'counters that get hot': sound(
    {},
    storeWord(value('data', 0), small(1)),
    operation('count', [value('data', 1), 1]),
    operation('count', [value('data', 2), 300]),
  ),
  'signals to the control thread': sound(
    { requests: ['lookup', 'commit', 'many'] },
    operation('handleSignal', [SIGUSR1], HANDLERS.indexOf('nothing')),
    operation('repeat', [1, 200]),
    operation('sendSignal', [SIGUSR1, value('threadId', 0)]),
  ),
  'callbacks that fail': program({ answer: 'fails', callsBeside: 10, besideFrom: 0 }, [
    operation('stub', [4, 4]),
  ]),

  // Lies about its end, its calls, its threads.
  'a trap report beyond its bounds': program({}, [
    storeWord(head(CONTROL.end + END.frameCount - 4), value('constant', 20)),
    operation('store', [head(CONTROL.end), value('minus', 1), 60, 8], WORD_STORES.u64),
    storeWord(head(CONTROL.end), small(EndKind.trap)),
    system('exitGroup', small(0)),
  ]),
  'a call that ends twice': program({}, [
    operation('store', [value('ownCall', CALL_SLOT.state / 4), small(CallState.returned)], WORD_STORES.u32),
    ring(BellKind.callDone, value('ownNumber')),
    nap(20),
  ]),
  'the control area overwritten while much is asked': program(
    { requests: ['status', 'maps', 'lookup', 'commit', 'many'], callsBeside: 20, besideFrom: 3 },
    [
      operation('store', [value('control'), value('minus', 77), 0xffff, 64], WORD_STORES.u64 | VARYING),
      operation('stub', [3, 3]),
      RETURN,
      operation('stub', [5, 3]),
    ],
  ),
  'words that drive a terminal': program({}, [
    operation('store', [head(CONTROL.end + END.message), small(0x1b), 40, 1]),
    storeWord(head(CONTROL.end), small(EndKind.fault)),
    system('exitGroup', small(0)),
  ]),
  'calls posted by hand': program({ callsBeside: 6, besideFrom: 3 }, [
    nap(5),
    operation('store', [value('call', 0), small(CallState.posted), 5, CALL_SLOT_BYTES], WORD_STORES.u32),
    system('futex', value('call', 3), small(FUTEX.wake), small(1)),
    nap(20),
  ]),
  'pages of its own over those it shares': program({ callsBeside: 4 }, [
    system('mmap', value('pointer'), value('pages', 1), small(3), MAP_OVER, value('minus', 1)),
    system('mmap', value('control', 40), value('pages', 16), small(3), MAP_OVER, value('minus', 1)),
    operation('stub', [1, 1]),
  ]),
  'the limit of threads raised by hand': holding(
    storeWord(head(CONTROL.confine + CONFINE.threads), value('constant', 20)),
    operation('repeat', [1, 500]),
    thread('ofProgram', 5, 1),
    nap(400),
    RETURN,
    nap(400),
  ),
  'threads behind the runner’s back': holding(
    operation('repeat', [1, 500]),
    thread('bare', 4, 1),
    nap(400),
    RETURN,
    nap(400),
  ),
  'a trap while much is asked': program({ requests: ['status', 'maps', 'lookup', 'commit', 'many'] }, [
    operation('touch', [small(0), value('pages', 1)]),
  ]),
  'a doorbell that is closed': program({}, [system('close', small(3)), nap(20)]),
  'a runner that stops itself': program({}, [system('kill', value('threadId', 0), small(SIGSTOP)), nap(100)]),
  'half a bell': program({}, [ring(BellKind.done, small(0), small(0), 0, 5), operation('stub', [1, 1])]),
} satisfies Readonly<Record<string, Uint8Array>>;

export type SeedName = keyof typeof SEEDS;
