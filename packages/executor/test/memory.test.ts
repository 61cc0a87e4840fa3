import { type Commit, indirection as indirectionLimits, memory as limits } from '@farjit/protocol';
import { RequestError } from '@farjit/protocol/errors';
import { addrAdd, type ExecutorAddr, toExecutorAddr } from '@farjit/protocol/executor-addr';
import test, { type ExecutionContext } from 'ava';
import { X86_64 } from '../src/abi/x86-64.js';
import { Indirection } from '../src/indirection.js';
import { SessionMemory } from '../src/memory.js';
import { ReservationPool } from '../src/reservation.js';
import { layoutReservation } from '../src/reservation-layout.js';
import { SLICE_BYTES, SLICE_ENTRIES, type Slices } from '../src/turns.js';
import { finish } from './finish.js';
import { commitOf, segmentOf } from './session-fixture.js';

const MIB = 1024 * 1024;
const BASE = toExecutorAddr(0x7000_0000_0000n);
const RESOLVER = toExecutorAddr(0x5555_0000_1234n);
const pool = new ReservationPool(
  layoutReservation(4096, { codeBytes: MIB, constantBytes: MIB, dataBytes: MIB }),
);

interface Prepared {
  memory: SessionMemory;
  indirection: Indirection;
  code: ExecutorAddr;
  constant: ExecutorAddr;
  data: ExecutorAddr;
  allocator: number;
}

/** Session memory with one page reserved of each kind. */
function prepare(t: ExecutionContext): Prepared {
  const reservation = pool.take();
  t.teardown(() => reservation.release());
  const memory = new SessionMemory(reservation, BASE);
  const allocator = memory.createAllocator();
  return {
    memory,
    indirection: new Indirection(memory, RESOLVER, X86_64),
    allocator,
    code: memory.reserve(allocator, 'code', 4096),
    constant: memory.reserve(allocator, 'constant', 4096),
    data: memory.reserve(allocator, 'data', 4096),
  };
}

test('a commit writes content, zeroes the rest and stores pointers', (t) => {
  const { memory, code, constant, data } = prepare(t);
  finish(memory.apply(commitOf({ segments: [segmentOf(data, 'data', new Uint8Array(64).fill(0xee))] })));
  const { syncCore, connect } = finish(
    memory.apply(
      commitOf({
        segments: [
          segmentOf(code, 'code', Uint8Array.of(1, 2, 3)),
          { address: data, prot: 'data', content: Uint8Array.of(9), memoryBytes: 8 },
        ],
        pointers: [{ address: addrAdd(constant, 8), value: toExecutorAddr(0x1122334455667788n) }],
      }),
    ),
  );
  t.false(syncCore);
  t.deepEqual([...memory.read(code, 4)], [1, 2, 3, 0]);
  t.deepEqual([...memory.read(data, 9)], [9, 0, 0, 0, 0, 0, 0, 0, 0xee]);
  t.is(memory.read(addrAdd(constant, 8), 8).readBigUInt64LE(), 0n);
  connect();
  t.is(memory.read(addrAdd(constant, 8), 8).readBigUInt64LE(), 0x1122334455667788n);
});

const PAGE_OF_ONES = new Uint8Array(4096).fill(1);

const REFUSED: readonly [string, (prepared: Prepared) => Partial<Commit>, string][] = [
  [
    'a segment that runs past its reservation',
    ({ code }) => ({ segments: [segmentOf(addrAdd(code, 1), 'code', PAGE_OF_ONES)] }),
    'INVALID_ADDRESS',
  ],
  [
    'a segment that starts before its reservation',
    ({ data }) => ({ segments: [segmentOf(addrAdd(data, -1), 'data', PAGE_OF_ONES)] }),
    'INVALID_ADDRESS',
  ],
  [
    'a segment of another protection than its reservation',
    ({ code }) => ({ segments: [segmentOf(code, 'data', Uint8Array.of(1))] }),
    'INVALID_ADDRESS',
  ],
  [
    'a segment where nothing is reserved',
    ({ code }) => ({ segments: [segmentOf(addrAdd(code, 8192), 'code', Uint8Array.of(1))] }),
    'INVALID_ADDRESS',
  ],
  [
    'a segment in the control region',
    ({ memory }) => ({
      segments: [segmentOf(addrAdd(memory.describe().data.address, -4096), 'data', Uint8Array.of(1))],
    }),
    'INVALID_ADDRESS',
  ],
  [
    'a segment outside the session',
    () => ({ segments: [segmentOf(toExecutorAddr(0x1000n), 'data', Uint8Array.of(1))] }),
    'INVALID_ADDRESS',
  ],
  [
    'a segment at the end of the address space',
    () => ({ segments: [segmentOf(toExecutorAddr(0xffff_ffff_ffff_fff0n), 'data', Uint8Array.of(1))] }),
    'INVALID_ADDRESS',
  ],
  [
    'a segment with memory that overflows',
    ({ data }) => ({
      segments: [
        { address: data, prot: 'data', content: Uint8Array.of(1), memoryBytes: Number.MAX_SAFE_INTEGER },
      ],
    }),
    'INVALID_ADDRESS',
  ],
  [
    'segments that overlap',
    ({ data }) => ({
      segments: [
        segmentOf(addrAdd(data, 8), 'data', new Uint8Array(8).fill(1)),
        segmentOf(data, 'data', new Uint8Array(9).fill(1)),
      ],
    }),
    'INVALID_ADDRESS',
  ],
  [
    'more content than memory',
    ({ data }) => ({
      segments: [{ address: data, prot: 'data', content: Uint8Array.of(1, 2), memoryBytes: 1 }],
    }),
    'INVALID_PARAMS',
  ],
  [
    'a pointer into code',
    ({ code }) => ({ pointers: [{ address: code, value: RESOLVER }] }),
    'INVALID_ADDRESS',
  ],
  [
    'a pointer that is not aligned',
    ({ constant }) => ({ pointers: [{ address: addrAdd(constant, 4), value: RESOLVER }] }),
    'INVALID_ADDRESS',
  ],
  [
    'a pointer where nothing is reserved',
    ({ constant }) => ({ pointers: [{ address: addrAdd(constant, 4096), value: RESOLVER }] }),
    'INVALID_ADDRESS',
  ],
  [
    'a pointer that runs past its reservation',
    ({ data }) => ({ pointers: [{ address: addrAdd(data, 4092), value: RESOLVER }] }),
    'INVALID_ADDRESS',
  ],
  [
    'a pointer before its reservation',
    ({ data }) => ({ pointers: [{ address: addrAdd(data, -8), value: RESOLVER }] }),
    'INVALID_ADDRESS',
  ],
  [
    'a segment of nothing where nothing is reserved',
    ({ data }) => ({ segments: [segmentOf(addrAdd(data, 8192), 'data', new Uint8Array(0))] }),
    'INVALID_ADDRESS',
  ],
  [
    'EH frames that run past their reservation',
    ({ constant }) => ({ registerEHFrames: [addrAdd(constant, 4093)] }),
    'INVALID_ADDRESS',
  ],
  [
    'EH frames where nothing is reserved',
    ({ constant }) => ({ registerEHFrames: [addrAdd(constant, 4096)] }),
    'INVALID_ADDRESS',
  ],
  ['EH frames in code', ({ code }) => ({ registerEHFrames: [code] }), 'INVALID_ADDRESS'],
  ['EH frames outside the session', () => ({ registerEHFrames: [toExecutorAddr(8n)] }), 'INVALID_ADDRESS'],
  [
    'EH frames registered twice',
    ({ constant }) => ({ registerEHFrames: [constant, constant] }),
    'INVALID_ADDRESS',
  ],
  [
    'deregistering EH frames that are not registered',
    ({ constant }) => ({ deregisterEHFrames: [constant] }),
    'INVALID_ADDRESS',
  ],
  [
    'more EH frames than one commit registers',
    ({ constant }) => ({
      registerEHFrames: Array.from({ length: 241 }, (_, index) => addrAdd(constant, 8 * index)),
    }),
    'LIMIT_EXCEEDED',
  ],
];

for (const [what, commit, code] of REFUSED)
  test(`refused, and nothing changed: ${what}`, (t) => {
    const prepared = prepare(t);
    const { memory, data, constant } = prepared;
    const good = {
      segments: [segmentOf(addrAdd(data, 2048), 'data', Uint8Array.of(7))],
      pointers: [{ address: addrAdd(constant, 2048), value: RESOLVER }],
    };
    const bad = commitOf(commit(prepared));
    const whole = {
      ...bad,
      segments: [...good.segments, ...bad.segments],
      pointers: [...good.pointers, ...bad.pointers],
    };
    const error = t.throws(() => finish(memory.apply(whole)), { instanceOf: RequestError });
    t.is(error?.code, code);
    for (const prot of ['code', 'constant', 'data'] as const) {
      const { address, sizeBytes } = memory.describe()[prot];
      t.true(memory.read(address, sizeBytes).equals(Buffer.alloc(sizeBytes)), `${prot} is unchanged`);
    }
    t.notThrows(() => finish(memory.apply(commitOf(good))));
    // The set of registered frames is unchanged, too.
    t.notThrows(() => finish(memory.apply(commitOf({ registerEHFrames: [constant] }))));
  });

test('segments that touch do not overlap, empty ones never do', (t) => {
  const { memory, data } = prepare(t);
  t.notThrows(() =>
    finish(
      memory.apply(
        commitOf({
          segments: [
            segmentOf(data, 'data', Uint8Array.of(1)),
            segmentOf(addrAdd(data, 1), 'data', Uint8Array.of(2)),
            segmentOf(data, 'data', new Uint8Array(0)),
          ],
        }),
      ),
    ),
  );
  t.deepEqual([...memory.read(data, 2)], [1, 2]);
});

test('a reservation is written from its first byte to its last', (t) => {
  const { memory, data, constant } = prepare(t);
  const last = { address: addrAdd(data, 4088), value: toExecutorAddr(0xffff_ffff_ffff_ffffn) };
  const { connect } = finish(
    memory.apply(
      commitOf({
        segments: [segmentOf(data, 'data', PAGE_OF_ONES)],
        pointers: [last, { address: constant, value: RESOLVER }],
        // An end of frames that is the last of its memory.
        registerEHFrames: [addrAdd(constant, 4092)],
      }),
    ),
  );
  connect();
  t.is(memory.read(last.address, 8).readBigUInt64LE(), last.value);
  t.is(memory.read(constant, 8).readBigUInt64LE(), RESOLVER);
  t.true(memory.read(data, 4088).every((byte) => byte === 1));
});

test('counters are where commits may write data, and nowhere else', (t) => {
  const { memory, constant, data } = prepare(t);
  const { address: start, sizeBytes } = memory.describe().data;
  const at = Number(data - start);
  t.deepEqual(memory.counterAddresses([at, at + 4092]), [data, addrAdd(data, 4092)]);
  t.deepEqual(memory.counterAddresses([]), []);
  for (const offsets of [[at + 4096], [at - 4], [at + 4093], [at, at + 4096], [-1], [sizeBytes]])
    t.is(memory.counterAddresses(offsets), undefined, `${offsets}`);
  t.is(memory.counterAddresses(undefined), undefined);
  // The host's own, and another kind.
  const own = memory.addressOf(memory.reserveRange('data', 4096, 'host').offset);
  t.is(memory.counterAddresses([Number(own - start)]), undefined);
  t.is(memory.counterAddresses([Number(constant - start)]), undefined);
});

test('what is read is all in one part, and nothing is read at its end', (t) => {
  const { memory } = prepare(t);
  for (const prot of ['code', 'constant', 'data'] as const) {
    const { address, sizeBytes } = memory.describe()[prot];
    t.is(memory.read(address, sizeBytes).byteLength, sizeBytes);
    t.throws(() => memory.checkReadable(address, sizeBytes + 1), { code: 'INVALID_ADDRESS' });
    t.is(memory.checkReadable(addrAdd(address, 8), 0), Number(address - BASE) + 8);
  }
});

test('ranges are bounded together, whoever has them', (t) => {
  const { memory } = prepareRoomy(t);
  const allocator = memory.createAllocator();
  for (let count = 1; count < limits.MAX_RESERVATIONS; count++) memory.reserve(allocator, 'code', 1);
  const own = memory.reserveRange('constant', 1, 'host');
  t.throws(() => memory.reserve(allocator, 'data', 1), { code: 'LIMIT_EXCEEDED' });
  t.throws(() => memory.reserveRange('data', 1, 'host'), { code: 'LIMIT_EXCEEDED' });
  memory.releaseRange(own);
  t.notThrows(() => memory.reserve(allocator, 'data', 1));
});

test('the host writes its own ranges to their ends', (t) => {
  const { memory } = prepare(t);
  const range = memory.reserveRange('constant', 4096, 'host');
  finish(memory.writeRange(range, 4090, Uint8Array.of(1, 2, 3, 4, 5, 6)));
  t.deepEqual([...memory.read(memory.addressOf(range.offset + 4090), 6)], [1, 2, 3, 4, 5, 6]);
  t.throws(() => finish(memory.writeRange(range, 4091, new Uint8Array(6))), { instanceOf: RangeError });
  t.is(memory.rangeAt(memory.addressOf(range.offset + 4095)), range);
  t.is(memory.rangeAt(memory.addressOf(range.offset + 4096)), undefined);
});

test('memory of a destroyed allocator refuses commits and is reserved again', (t) => {
  const { memory, allocator, code } = prepare(t);
  finish(memory.destroyAllocator(allocator));
  t.throws(() => finish(memory.apply(commitOf({ segments: [segmentOf(code, 'code', Uint8Array.of(1))] }))), {
    message: /not inside any reservation/,
  });
  t.throws(() => memory.reserve(allocator, 'code', 1), { message: `there is no allocator ${allocator}` });
  t.throws(() => finish(memory.destroyAllocator(allocator)), { instanceOf: RequestError });
  t.is(memory.reserve(memory.createAllocator(), 'code', 4096), code);
});

test('an allocator with registered EH frames is not destroyed', (t) => {
  const { memory, allocator, constant } = prepare(t);
  finish(memory.apply(commitOf({ registerEHFrames: [constant] })));
  t.throws(() => finish(memory.destroyAllocator(allocator)), { message: /deregister them first/ });
  finish(memory.apply(commitOf({ deregisterEHFrames: [constant] })));
  t.notThrows(() => finish(memory.destroyAllocator(allocator)));
});

test('one commit may deregister EH frames and register others in their place', (t) => {
  const { memory, constant } = prepare(t);
  const frames = (parts: Partial<Commit>) => finish(memory.apply(commitOf(parts)));
  frames({ registerEHFrames: [constant] });
  t.throws(() => frames({ registerEHFrames: [constant] }), { message: /registered already/ });
  t.notThrows(() => frames({ deregisterEHFrames: [constant], registerEHFrames: [constant] }));
  t.throws(() => frames({ deregisterEHFrames: [constant], registerEHFrames: [constant, constant] }), {
    message: /registered already/,
  });
  t.notThrows(() => frames({ deregisterEHFrames: [constant] }));
});

test('what a session may have the host remember is bounded, and room comes back', (t) => {
  const { memory, indirection } = prepare(t);
  const { MAX_ALLOCATORS } = limits;
  const allocators = Array.from({ length: MAX_ALLOCATORS - 1 }, () => memory.createAllocator());
  t.throws(() => memory.createAllocator(), { code: 'LIMIT_EXCEEDED', message: /1024 allocators/ });
  finish(memory.destroyAllocator(allocators[0] ?? 0));
  t.notThrows(() => memory.createAllocator());

  const { MAX_STUB_OWNERS } = indirectionLimits;
  const owners = Array.from({ length: MAX_STUB_OWNERS }, () => indirection.createOwner());
  t.throws(() => indirection.createOwner(), { code: 'LIMIT_EXCEEDED', message: /1024 owners/ });
  finish(indirection.destroyOwner(owners[0] ?? 0));
  t.notThrows(() => indirection.createOwner());
});

const roomy = new ReservationPool(
  layoutReservation(4096, { codeBytes: 32 * MIB, constantBytes: 32 * MIB, dataBytes: MIB }),
);

/** With room for all reservations and blocks there may be. */
function prepareRoomy(t: ExecutionContext): { memory: SessionMemory; indirection: Indirection } {
  const reservation = roomy.take();
  t.teardown(() => reservation.release());
  const memory = new SessionMemory(reservation, BASE);
  return { memory, indirection: new Indirection(memory, RESOLVER, X86_64) };
}

test('reservations are bounded, and come back with their allocator', (t) => {
  const { memory } = prepareRoomy(t);
  const [first, second] = [memory.createAllocator(), memory.createAllocator()];
  for (let count = 0; count < limits.MAX_RESERVATIONS; count++)
    memory.reserve(count % 2 ? first : second, 'code', 1);
  t.throws(() => memory.reserve(first, 'code', 1), { code: 'LIMIT_EXCEEDED', message: /4096 reservations/ });
  finish(memory.destroyAllocator(second));
  for (let count = 0; count < limits.MAX_RESERVATIONS / 2; count++) memory.reserve(first, 'code', 1);
  t.throws(() => memory.reserve(first, 'code', 1), { code: 'LIMIT_EXCEEDED', message: /4096 reservations/ });
});

test('blocks are bounded, and come back with their owner', (t) => {
  const { indirection } = prepareRoomy(t);
  const { MAX_BLOCKS } = indirectionLimits;
  for (let round = 0; round < 3; round++) {
    const owner = indirection.createOwner();
    for (let count = 0; count < MAX_BLOCKS; count++) finish(indirection.emitStubs(owner, 1, RESOLVER, 0));
    for (const emit of [
      () => finish(indirection.emitStubs(owner, 1, RESOLVER, 0)),
      () => finish(indirection.emitTrampolines(1)),
    ])
      t.throws(emit, { code: 'LIMIT_EXCEEDED', message: /1024 stub and trampoline blocks/ });
    finish(indirection.destroyOwner(owner));
  }
  t.notThrows(() => finish(indirection.emitTrampolines(1)));
});

test('stubs for whose pointers there is no room take none either', (t) => {
  const reservation = new ReservationPool(
    layoutReservation(4096, { codeBytes: 4 * MIB, constantBytes: MIB, dataBytes: MIB }),
  ).take();
  t.teardown(() => reservation.release());
  const memory = new SessionMemory(reservation, BASE);
  const indirection = new Indirection(memory, RESOLVER, X86_64);
  const owner = indirection.createOwner();
  // A megabyte of code, and as much for the pointers, which the constant part has not.
  for (let count = 0; count < 8; count++)
    t.throws(() => finish(indirection.emitStubs(owner, MIB / 8, RESOLVER, 0)), {
      message: /constant memory in one piece/,
    });
  const allocator = memory.createAllocator();
  t.notThrows(() => memory.reserve(allocator, 'code', 4 * MIB));
});

test('registered EH frames are bounded', (t) => {
  const { memory } = prepareRoomy(t);
  const { MAX_PUBLISH_ENTRIES, MAX_REGISTERED_FRAMES } = limits;
  const start = memory.reserve(memory.createAllocator(), 'data', 4 * (MAX_REGISTERED_FRAMES + 1));
  const register = (first: number, count: number) =>
    finish(
      memory.apply(
        commitOf({
          registerEHFrames: Array.from({ length: count }, (_, index) => addrAdd(start, 4 * (first + index))),
        }),
      ),
    );
  let count = 0;
  while (count + MAX_PUBLISH_ENTRIES <= MAX_REGISTERED_FRAMES) {
    register(count, MAX_PUBLISH_ENTRIES);
    count += MAX_PUBLISH_ENTRIES;
  }
  register(count, MAX_REGISTERED_FRAMES - count);
  t.throws(() => register(MAX_REGISTERED_FRAMES, 1), {
    code: 'LIMIT_EXCEEDED',
    message: /65536 registered EH frames/,
  });
  finish(memory.apply(commitOf({ deregisterEHFrames: [start] })));
  t.notThrows(() => register(MAX_REGISTERED_FRAMES, 1));
});

test('EH frames are read before anything is written, as they will be, and no further than they may', (t) => {
  const { memory } = prepareRoomy(t);
  const { MAX_EH_FRAME_BYTES } = limits;
  const constant = memory.reserve(memory.createAllocator(), 'constant', 6 * MIB);
  // A record of the greatest length there may be, over and over.
  const endless = new Uint8Array(MIB);
  const view = new DataView(endless.buffer);
  for (let at = 0; at < MIB; at += 1024) {
    view.setUint32(at, 1020, true);
    // A CIE without an augmentation.
    endless[at + 8] = 1;
  }
  const segments = [0, 1, 2, 3, 4, 5].map((index) =>
    segmentOf(addrAdd(constant, index * MIB), 'constant', endless),
  );
  const error = t.throws(() => finish(memory.apply(commitOf({ segments, registerEHFrames: [constant] }))), {
    code: 'LIMIT_EXCEEDED',
    message: new RegExp(`${MAX_EH_FRAME_BYTES} bytes of EH frames`),
  });
  t.true(error instanceof RequestError);
  t.true(memory.read(constant, MIB).equals(Buffer.alloc(MIB)));
  // Where the commit ends them, they end.
  const ended = [...segments.slice(1), segmentOf(constant, 'constant', new Uint8Array(MIB))];
  t.notThrows(() => finish(memory.apply(commitOf({ segments: ended, registerEHFrames: [constant] }))));
});

test('memory beyond the content is zero, whatever was there before, in parts and whole pages', (t) => {
  const { memory } = prepareRoomy(t);
  const allocator = memory.createAllocator();
  const SIZE = 256 * 1024;
  for (const prot of ['code', 'constant', 'data'] as const) {
    const start = memory.reserve(allocator, prot, SIZE);
    const model = Buffer.alloc(SIZE);
    const write = (offset: number, content: Uint8Array<ArrayBuffer>, memoryBytes: number) => {
      const segment = { address: addrAdd(start, offset), prot, content, memoryBytes };
      finish(memory.apply(commitOf({ segments: [segment] })));
      model.fill(0, offset, offset + memoryBytes);
      model.set(content, offset);
    };
    write(0, new Uint8Array(SIZE).fill(0x5a), SIZE);
    for (const [offset, contentBytes, memoryBytes] of [
      [0, 0, 1],
      [4095, 1, 2],
      [4096, 0, 4096],
      [10_000, 100, 70_000],
      [100_000, 5000, 100_000],
      [16_384, 0, 65_536],
      [16_384, 0, 65_535],
      [0, 3, SIZE],
      [77, 7, 777],
    ] as const) {
      write(offset, new Uint8Array(contentBytes).fill(0xa5), memoryBytes);
      t.true(memory.read(start, SIZE).equals(model), `${prot} after ${memoryBytes} bytes at ${offset}`);
    }
  }
});

test('clearing memory again and again allocates none of it', (t) => {
  const reservation = roomy.take();
  t.teardown(() => reservation.release());
  const memory = new SessionMemory(reservation, BASE);
  const allocator = memory.createAllocator();
  const before = reservation.allocatedBytes;
  for (const [prot, memoryBytes] of [
    ['code', 16 * MIB],
    ['constant', 16 * MIB],
    ['data', MIB],
  ] as const) {
    const address = memory.reserve(allocator, prot, memoryBytes);
    const segments = [{ address, prot, content: Uint8Array.of(1), memoryBytes }];
    for (let round = 0; round < 20; round++) finish(memory.apply(commitOf({ segments })));
  }
  t.true(reservation.allocatedBytes - before <= 64 * 1024);
});

test('what is being written when the runner goes ends with the reason, and touches nothing more', (t) => {
  const { memory } = prepareRoomy(t);
  const address = memory.reserve(memory.createAllocator(), 'code', 4 * MIB);
  const content = new Uint8Array(4 * MIB).fill(1);
  const slices = memory.apply(commitOf({ segments: [segmentOf(address, 'code', content)] }));
  slices.next();
  memory.release(new RequestError('RUNNER_LOST', 'gone'));
  t.throws(() => finish(slices), { code: 'RUNNER_LOST', message: 'gone' });
  t.true(memory.read(address, MIB).some((byte) => byte === 1));
  t.true(memory.read(addrAdd(address, 3 * MIB), MIB).every((byte) => byte === 0));
});

test('long work is cut into slices, each of a bounded number of bytes and entries', (t) => {
  const { memory, indirection } = prepareRoomy(t);
  const countSlices = (slices: Slices<unknown>) => {
    let count = 1;
    while (!slices.next().done) count++;
    return count;
  };
  const allocator = memory.createAllocator();
  const address = memory.reserve(allocator, 'code', 8 * MIB);
  const segments = [segmentOf(address, 'code', new Uint8Array(8 * MIB).fill(1))];
  t.true(countSlices(memory.apply(commitOf({ segments }))) >= (8 * MIB) / SLICE_BYTES);
  const cleared = [{ ...segmentOf(address, 'code', new Uint8Array(0)), memoryBytes: 8 * MIB }];
  t.true(countSlices(memory.apply(commitOf({ segments: cleared }))) >= (8 * MIB) / SLICE_BYTES);
  const many = Array.from({ length: 4096 }, (_, index) =>
    segmentOf(addrAdd(address, index), 'code', Uint8Array.of(1)),
  );
  t.true(countSlices(memory.apply(commitOf({ segments: many }))) >= (2 * 4096) / SLICE_ENTRIES);
  const owner = indirection.createOwner();
  t.true(countSlices(indirection.emitStubs(owner, 65_536, RESOLVER, 8)) >= 65_536 / SLICE_ENTRIES / 4);
  t.true(countSlices(indirection.emitTrampolines(65_536)) >= 65_536 / SLICE_ENTRIES / 4);
  for (let count = 0; count < 2048; count++) memory.reserve(allocator, 'constant', 1);
  t.true(countSlices(memory.destroyAllocator(allocator)) >= 2048 / SLICE_ENTRIES);
});

test('a reservation that does not fit says what is free', (t) => {
  const { memory, allocator } = prepare(t);
  const error = t.throws(() => memory.reserve(allocator, 'data', MIB), { instanceOf: RequestError });
  t.is(error?.code, 'LIMIT_EXCEEDED');
  t.regex(error?.message ?? '', new RegExp(`${MIB - 4096} are free`));
});

test('reading stays inside one part', (t) => {
  const { memory } = prepare(t);
  const { code, data } = memory.describe();
  t.notThrows(() => memory.read(addrAdd(code.address, code.sizeBytes - 1), 1));
  for (const [address, sizeBytes] of [
    [addrAdd(code.address, code.sizeBytes - 1), 2],
    [addrAdd(data.address, -1), 1],
    [addrAdd(data.address, data.sizeBytes), 1],
    [addrAdd(code.address, -1), 1],
  ] as const)
    t.throws(() => memory.read(address, sizeBytes), { instanceOf: RequestError, message: /not inside/ });
});

test('stubs jump through pointers that commits may write, and only those', (t) => {
  const { memory, indirection } = prepare(t);
  const owner = indirection.createOwner();
  const { stubs, pointers } = finish(indirection.emitStubs(owner, 3, RESOLVER, 8));
  t.is(memory.read(addrAdd(pointers, 16), 8).readBigUInt64LE(), RESOLVER + 16n);
  const code = memory.read(stubs, 24);
  for (const index of [0, 1, 2]) {
    t.is(code.readUInt16BE(8 * index), 0xff25);
    const next = stubs + BigInt(8 * index + 6);
    t.is(next + BigInt(code.readInt32LE(8 * index + 2)), pointers + BigInt(8 * index));
  }
  const target = { address: addrAdd(pointers, 8), value: toExecutorAddr(0x42n) };
  finish(memory.apply(commitOf({ pointers: [target] }))).connect();
  t.is(memory.read(target.address, 8).readBigUInt64LE(), 0x42n);
  t.throws(
    () => finish(memory.apply(commitOf({ segments: [segmentOf(stubs, 'code', Uint8Array.of(0x90))] }))),
    {
      message: /not inside any reservation/,
    },
  );
  t.throws(
    () => finish(memory.apply(commitOf({ segments: [segmentOf(pointers, 'constant', Uint8Array.of(0))] }))),
    {
      message: /not inside any reservation/,
    },
  );
  finish(indirection.destroyOwner(owner));
  t.throws(() => finish(memory.apply(commitOf({ pointers: [target] }))), { instanceOf: RequestError });
  t.throws(() => finish(indirection.destroyOwner(owner)), {
    message: `there is no indirect-stubs owner ${owner}`,
  });
});

test('initial targets beyond 64 bits are refused', (t) => {
  const { indirection } = prepare(t);
  const owner = indirection.createOwner();
  const last = toExecutorAddr(0xffff_ffff_ffff_fff8n);
  t.throws(() => finish(indirection.emitStubs(owner, 2, last, 8)), { message: /64 bits/ });
  t.notThrows(() => finish(indirection.emitStubs(owner, 1, last, 8)));
});

test('a trampoline is known by its start, and its pointer is written by nobody', (t) => {
  const { memory, indirection } = prepare(t);
  const start = finish(indirection.emitTrampolines(600));
  const more = finish(indirection.emitTrampolines(1));
  t.true(indirection.isTrampoline(start));
  t.true(indirection.isTrampoline(addrAdd(start, 599 * 8)));
  t.true(indirection.isTrampoline(more));
  t.false(indirection.isTrampoline(addrAdd(start, 600 * 8)));
  t.false(indirection.isTrampoline(addrAdd(start, 6)));
  t.false(indirection.isTrampoline(addrAdd(start, -8)));
  const code = memory.read(start, 8);
  const pointer = toExecutorAddr(start + 6n + BigInt(code.readInt32LE(2)));
  t.is(memory.read(pointer, 8).readBigUInt64LE(), RESOLVER);
  t.throws(() => finish(memory.apply(commitOf({ pointers: [{ address: pointer, value: RESOLVER }] }))), {
    instanceOf: RequestError,
  });
});
