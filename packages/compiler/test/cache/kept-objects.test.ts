import test from 'ava';
import { KeptObjects } from '../../src/cache/kept-objects.js';
import type { ObjectCache } from '../../src/cache/object-cache.js';
import { KeyEnvironmentError, type ObjectKeys } from '../../src/cache/object-keys.js';
import { nameOf } from '../../src/cache/object-name.js';
import type { SharedObjects } from '../../src/cache/shared-objects.js';
import { type ObjectSlice, readSlices } from '../../src/jitlink/object-slice.js';
import { LibLLVMError } from '../../src/llvm/errors.js';

const keyOf = (number: number) => Uint8Array.of(number & 0xff, number >> 8);

function prepared({
  isKeptElsewhere = false,
  ...options
}: { isKeptElsewhere?: boolean } & ConstructorParameters<typeof KeptObjects>[2] = {}) {
  const log: string[] = [];
  const cache = {
    isKeptElsewhere,
    find: (key: Uint8Array, _unit: string, read: unknown) => {
      log.push(`find ${key} ${read === readSlices ? 'kept' : 'ready'}`);
      return (read as () => unknown)();
    },
    drop: (key: Uint8Array) => log.push(`drop ${key}`),
    add: (key: Uint8Array) => log.push(`add ${key}`),
    addLazily: (key: Uint8Array, { sizeBytes }: { sizeBytes: number }) =>
      log.push(`later ${key} ${sizeBytes}`),
  };
  return { kept: new KeptObjects(cache as unknown as ObjectCache, {} as ObjectKeys, options), log };
}

test('a key that cannot be made costs no other, and without one nothing is looked for or kept', async (t) => {
  const { kept, log } = prepared();
  t.deepEqual(
    kept.key(() => keyOf(1)),
    keyOf(1),
  );
  const fail = () => {
    throw new KeyEnvironmentError(new LibLLVMError('no library'));
  };
  t.is(kept.key(fail), undefined);
  t.is(kept.key(() => keyOf(1))?.byteLength, keyOf(1).byteLength);
  t.is(kept.find(undefined, 'u'), undefined);
  kept.drop(undefined);
  kept.keep(undefined, []);
  t.is(kept.elsewhere(undefined), undefined);
  t.deepEqual(log, []);
  t.deepEqual(kept.askedFor, []);
});

test('a fault of our own in making a key is told, and costs no other key', (t) => {
  const { kept } = prepared();
  const fault = new TypeError('a number was expected');
  const fail = () => {
    throw fault;
  };
  t.is(
    t.throws(() => kept.key(fail)),
    fault,
  );
  t.deepEqual(
    kept.key(() => keyOf(1)),
    keyOf(1),
  );
});

test('what has been read ahead is taken once', (t) => {
  const slices: readonly ObjectSlice[] = [];
  const { kept, log } = prepared({ ready: new Map([[nameOf(keyOf(7)), slices]]) });
  t.is(kept.find(keyOf(7), 'u'), slices);
  t.throws(() => kept.find(keyOf(7), 'u'));
  t.deepEqual(log, ['find 7,0 ready', 'find 7,0 kept']);
});

test('the first thousand keys that are asked for are told, each once and in order', (t) => {
  const ready = new Map(Array.from({ length: 1100 }, (_, number) => [nameOf(keyOf(number)), []]));
  const { kept } = prepared({ ready });
  kept.find(keyOf(0), 'u');
  kept.find(keyOf(1), 'u');
  for (let number = 1; number < 1100; number++) {
    ready.set(nameOf(keyOf(number)), []);
    kept.find(keyOf(number), 'u');
  }
  t.deepEqual(
    kept.askedFor,
    Array.from({ length: 1000 }, (_, number) => keyOf(number)),
  );
});

test('in memory an object is written when it is asked for, on disk at once', (t) => {
  const { kept, log } = prepared();
  kept.keep(keyOf(1), [{} as ObjectSlice, {} as ObjectSlice]);
  kept.drop(keyOf(2));
  t.deepEqual(log, ['later 1,0 8192', 'drop 2,0']);
});

test('what other sessions make is waited for, and they for what this one makes', async (t) => {
  const claimed: unknown[] = [];
  const waiting = Promise.resolve();
  const shared = {
    elsewhere: () => waiting,
    claim: (keys: unknown, make: () => Promise<unknown>) => {
      claimed.push(keys);
      return make();
    },
  };
  const { kept } = prepared({ shared: shared as unknown as SharedObjects });
  t.is(kept.elsewhere(keyOf(1)), waiting);
  t.is(await kept.claim([keyOf(1), undefined, keyOf(2)], async () => 5), 5);
  t.is(await kept.claim([undefined], async () => 6), 6);
  t.deepEqual(claimed, [[keyOf(1), keyOf(2)]]);
  const { kept: alone } = prepared();
  t.is(alone.elsewhere(keyOf(1)), undefined);
  t.is(await alone.claim([keyOf(1)], async () => 7), 7);
});
