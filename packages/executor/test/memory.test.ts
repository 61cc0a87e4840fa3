import type { Commit } from '@farjit/protocol';
import { RequestError } from '@farjit/protocol/errors';
import { addrAdd, toExecutorAddr } from '@farjit/protocol/executor-addr';
import test from 'ava';
import { SessionMemory } from '../src/memory.js';
import { SLICE_BYTES, SLICE_ENTRIES, type Slices } from '../src/turns.js';
import { finish } from './finish.js';
import { BASE, endOf, MIB, type Prepared, prepare, RESOLVER, roomy, TERMINATOR } from './memory-fixture.js';
import { commitOf, deregisters, invalidates, registers, segmentOf } from './session-fixture.js';

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

test('a commit says which units of thread-local memory its segments are in', (t) => {
  const { memory, data } = prepare(t);
  const { address, sizeBytes } = memory.threadTemplate;
  const at = (offset: number, memoryBytes: number, content = Uint8Array.of()) => ({
    address: addrAdd(address, offset),
    prot: 'constant' as const,
    content,
    memoryBytes,
  });
  const commit = (...segments: Commit['segments']) =>
    finish(memory.apply(commitOf({ segments }))).threadUnits;
  t.deepEqual([...commit(at(0, 1, Uint8Array.of(7)), at(127, 2), at(sizeBytes - 64, 64))], [0, 1, 2, 1023]);
  t.deepEqual([...commit(segmentOf(data, 'data', Uint8Array.of(1)))], []);
  t.deepEqual([...memory.read(address, 2)], [7, 0]);
});

const PAGE_OF_ONES = new Uint8Array(4096).fill(1);

const REFUSED: readonly [string, (prepared: Prepared) => Partial<Commit>, string][] = [
  [
    'a segment that runs past its part',
    (prepared) => ({ segments: [segmentOf(addrAdd(endOf(prepared, 'data'), -4095), 'data', PAGE_OF_ONES)] }),
    'INVALID_ADDRESS',
  ],
  [
    'a segment that starts before its part',
    ({ constant }) => ({ segments: [segmentOf(addrAdd(constant, -1), 'constant', PAGE_OF_ONES)] }),
    'INVALID_ADDRESS',
  ],
  [
    'a segment of another protection than its part',
    ({ code }) => ({ segments: [segmentOf(code, 'data', Uint8Array.of(1))] }),
    'INVALID_ADDRESS',
  ],
  [
    'a segment in the code that the host keeps',
    (prepared) => ({ segments: [segmentOf(endOf(prepared, 'code'), 'code', Uint8Array.of(1))] }),
    'INVALID_ADDRESS',
  ],
  [
    'a segment that reaches into the constants that the host keeps',
    (prepared) => ({
      segments: [segmentOf(addrAdd(endOf(prepared, 'constant'), -1), 'constant', Uint8Array.of(1, 2))],
    }),
    'INVALID_ADDRESS',
  ],
  [
    'a segment that reaches beyond what threads begin with',
    ({ memory: { threadTemplate } }) => ({
      segments: [
        segmentOf(
          addrAdd(threadTemplate.address, threadTemplate.sizeBytes - 1),
          'constant',
          Uint8Array.of(1, 2),
        ),
      ],
    }),
    'INVALID_ADDRESS',
  ],
  [
    'a segment of another protection there',
    ({ memory: { threadTemplate } }) => ({
      segments: [segmentOf(threadTemplate.address, 'data', Uint8Array.of(1))],
    }),
    'INVALID_ADDRESS',
  ],
  [
    'a pointer there, which no thread would get',
    ({ memory: { threadTemplate } }) => ({
      pointers: [{ address: threadTemplate.address, value: toExecutorAddr(1n) }],
    }),
    'INVALID_ADDRESS',
  ],
  [
    'frames there',
    ({ memory: { threadTemplate } }) => ({ actions: [registers(threadTemplate.address, TERMINATOR)] }),
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
    'a pointer where no stub has one',
    (prepared) => ({ pointers: [{ address: endOf(prepared, 'constant'), value: RESOLVER }] }),
    'INVALID_ADDRESS',
  ],
  [
    'a pointer that runs past its part',
    (prepared) => ({ pointers: [{ address: addrAdd(endOf(prepared, 'data'), -4), value: RESOLVER }] }),
    'INVALID_ADDRESS',
  ],
  [
    'a pointer before its part',
    ({ data }) => ({ pointers: [{ address: addrAdd(data, -8), value: RESOLVER }] }),
    'INVALID_ADDRESS',
  ],
  ['EH frames in code', ({ code }) => ({ actions: [registers(code, TERMINATOR)] }), 'INVALID_ADDRESS'],
  [
    'EH frames outside the session',
    () => ({ actions: [registers(toExecutorAddr(8n), TERMINATOR)] }),
    'INVALID_ADDRESS',
  ],
  [
    'EH frames that run past their part',
    (prepared) => ({ actions: [registers(addrAdd(endOf(prepared, 'constant'), -3), TERMINATOR)] }),
    'INVALID_ADDRESS',
  ],
  [
    'EH frames without an end',
    ({ constant }) => ({ actions: [registers(constant, new Uint8Array(3))] }),
    'INVALID_PARAMS',
  ],
  [
    'EH frames registered twice',
    ({ constant }) => ({ actions: [registers(constant, TERMINATOR), registers(constant, TERMINATOR)] }),
    'INVALID_ADDRESS',
  ],
  [
    'deregistering EH frames that are not registered',
    ({ constant }) => ({ actions: [deregisters(constant, TERMINATOR)] }),
    'INVALID_ADDRESS',
  ],
  [
    'an instruction cache of what is no code',
    ({ data }) => ({ actions: [invalidates(data, 64)] }),
    'INVALID_ADDRESS',
  ],
  [
    'an instruction cache of the code that the host keeps',
    (prepared) => ({ actions: [invalidates(endOf(prepared, 'code'), 1)] }),
    'INVALID_ADDRESS',
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
    t.notThrows(() => finish(memory.apply(commitOf({ actions: [registers(constant, TERMINATOR)] }))));
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

test('a part is written from its first byte to its last', (t) => {
  const prepared = prepare(t);
  const { memory, constant } = prepared;
  const end = endOf(prepared, 'data');
  const last = { address: addrAdd(end, -8), value: toExecutorAddr(0xffff_ffff_ffff_ffffn) };
  const { connect } = finish(
    memory.apply(
      commitOf({
        segments: [segmentOf(addrAdd(end, -4096), 'data', PAGE_OF_ONES)],
        pointers: [last, { address: constant, value: RESOLVER }],
        // An end of frames that is the last of its memory.
        actions: [registers(addrAdd(endOf(prepared, 'constant'), -4), TERMINATOR)],
      }),
    ),
  );
  connect();
  t.is<bigint, bigint>(memory.read(last.address, 8).readBigUInt64LE(), last.value);
  t.is<bigint, bigint>(memory.read(constant, 8).readBigUInt64LE(), RESOLVER);
  t.true(memory.read(addrAdd(end, -4096), 4088).every((byte) => byte === 1));
});

test('counters are in the data part, and nowhere else', (t) => {
  const { memory, data } = prepare(t);
  const { sizeBytes } = memory.describe().data;
  t.deepEqual(memory.counterAddresses([0, sizeBytes - 4]), [data, addrAdd(data, sizeBytes - 4)]);
  t.deepEqual(memory.counterAddresses([]), []);
  for (const offsets of [[-4], [sizeBytes - 3], [0, sizeBytes], [-1]])
    t.is(memory.counterAddresses(offsets), undefined, `${offsets}`);
  t.is(memory.counterAddresses(undefined), undefined);
});

test('the host writes its own regions to their ends', (t) => {
  const { memory } = prepare(t);
  const { stubs } = memory.layout;
  finish(memory.writeOwn(stubs, stubs.sizeBytes - 6, Uint8Array.of(1, 2, 3, 4, 5, 6)));
  t.deepEqual([...memory.read(memory.addressOf(stubs.offset + stubs.sizeBytes - 6), 6)], [1, 2, 3, 4, 5, 6]);
  t.throws(() => finish(memory.writeOwn(stubs, stubs.sizeBytes - 5, new Uint8Array(6))), {
    instanceOf: RangeError,
  });
});

test('code that takes the place of other code is made visible before anything leads to it', (t) => {
  const { memory, code } = prepare(t);
  const segments = [segmentOf(code, 'code', Uint8Array.of(1))];
  t.true(finish(memory.apply(commitOf({ segments, actions: [invalidates(code, 1)] }))).syncCore);
  t.false(finish(memory.apply(commitOf({ segments }))).syncCore);
});

test('memory beyond the content is zero, whatever was there before, in parts and whole pages', (t) => {
  const { memory } = prepare(t, roomy);
  const SIZE = 256 * 1024;
  for (const prot of ['code', 'constant', 'data'] as const) {
    const start = memory.describe()[prot].address;
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
  const before = reservation.allocatedBytes;
  for (const [prot, memoryBytes] of [
    ['code', 16 * MIB],
    ['constant', 16 * MIB],
    ['data', MIB],
  ] as const) {
    const { address } = memory.describe()[prot];
    const segments = [{ address, prot, content: Uint8Array.of(1), memoryBytes }];
    for (let round = 0; round < 20; round++) finish(memory.apply(commitOf({ segments })));
  }
  t.true(reservation.allocatedBytes - before <= 64 * 1024);
});

test('what is being written when the runner goes ends with the reason, and touches nothing more', (t) => {
  const { memory, code: address } = prepare(t, roomy);
  const content = new Uint8Array(4 * MIB).fill(1);
  const slices = memory.apply(commitOf({ segments: [segmentOf(address, 'code', content)] }));
  slices.next();
  memory.release(new RequestError('RUNNER_LOST', 'gone'));
  t.throws(() => finish(slices), { code: 'RUNNER_LOST', message: 'gone' });
  t.true(memory.read(address, MIB).some((byte) => byte === 1));
  t.true(memory.read(addrAdd(address, 3 * MIB), MIB).every((byte) => byte === 0));
});

test('long work is cut into slices, each of a bounded number of bytes and entries', (t) => {
  const { memory, indirection, code: address } = prepare(t, roomy);
  const countSlices = (slices: Slices<unknown>) => {
    let count = 1;
    while (!slices.next().done) count++;
    return count;
  };
  const segments = [segmentOf(address, 'code', new Uint8Array(8 * MIB).fill(1))];
  t.true(countSlices(memory.apply(commitOf({ segments }))) >= (8 * MIB) / SLICE_BYTES);
  const cleared = [{ ...segmentOf(address, 'code', new Uint8Array(0)), memoryBytes: 8 * MIB }];
  t.true(countSlices(memory.apply(commitOf({ segments: cleared }))) >= (8 * MIB) / SLICE_BYTES);
  const many = Array.from({ length: 4096 }, (_, index) =>
    segmentOf(addrAdd(address, index), 'code', Uint8Array.of(1)),
  );
  t.true(countSlices(memory.apply(commitOf({ segments: many }))) >= (2 * 4096) / SLICE_ENTRIES);
  t.true(countSlices(indirection.emit(65_536)) >= 3 * (65_536 / SLICE_ENTRIES / 4 - 1));
});

test('reading stays inside one part', (t) => {
  const { memory } = prepare(t);
  const part = (prot: 'code' | 'data') => {
    const { offset, sizeBytes } = memory.layout[prot];
    return { address: memory.addressOf(offset), sizeBytes };
  };
  const [code, data] = [part('code'), part('data')];
  t.notThrows(() => memory.read(addrAdd(code.address, code.sizeBytes - 1), 1));
  for (const [address, sizeBytes] of [
    [addrAdd(code.address, code.sizeBytes - 1), 2],
    [addrAdd(data.address, -1), 1],
    [addrAdd(data.address, data.sizeBytes), 1],
    [addrAdd(code.address, -1), 1],
  ] as const)
    t.throws(() => memory.read(address, sizeBytes), { instanceOf: RequestError, message: /not inside/ });
});
