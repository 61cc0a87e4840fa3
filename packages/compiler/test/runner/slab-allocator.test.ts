import { type ExecutorAddr, toExecutorAddr } from '@farjit/protocol/executor-addr';
import test from 'ava';
import { SlabAllocator } from '../../src/runner/slab-allocator.js';
import { randomFrom } from '../random.js';

const BASE = toExecutorAddr(0x7f00_0000_0000n);
const GRANULE_BYTES = 64;

function addressOf(allocated: { address: ExecutorAddr } | undefined): ExecutorAddr {
  if (!allocated) throw new Error('nothing was allocated');
  return allocated.address;
}

test('allocations lie one after the other, each at the start of a granule', (t) => {
  const slab = new SlabAllocator(BASE, 4096);
  t.is(addressOf(slab.allocate(1, 1)), BASE);
  t.is(addressOf(slab.allocate(65, 1)) - BASE, 64n);
  t.is(addressOf(slab.allocate(0, 1)) - BASE, 192n);
  t.is(slab.allocatedBytes, 256);
});

for (const base of [BASE, toExecutorAddr(BASE + 0x3000n)])
  test(`an address is a multiple of its alignment, whatever the slab's own: ${base.toString(16)}`, (t) => {
    const slab = new SlabAllocator(base, 1 << 20);
    slab.allocate(1, 1);
    for (const alignment of [1, 16, 64, 128, 4096, 16384, 65536])
      t.is(addressOf(slab.allocate(100, alignment)) % BigInt(alignment), 0n, `aligned to ${alignment}`);
    // What alignment skipped is used by what fits.
    t.is(addressOf(slab.allocate(1, 1)) - base, 448n);
  });

test('memory handed out before is called reused, also when only its start was', (t) => {
  const slab = new SlabAllocator(BASE, 4096);
  const first = slab.allocate(64, 1);
  t.false(first?.reused);
  const second = slab.allocate(64, 1);
  t.false(second?.reused);
  slab.free(addressOf(second));
  const larger = slab.allocate(256, 1);
  t.is(addressOf(larger) - BASE, 64n);
  t.true(larger?.reused);
  t.false(slab.allocate(64, 1)?.reused);
});

test('the gap that alignment left is fresh the first time', (t) => {
  const slab = new SlabAllocator(BASE, 4096);
  slab.allocate(64, 1);
  const aligned = slab.allocate(64, 1024);
  t.is(addressOf(aligned) - BASE, 1024n);
  t.false(aligned?.reused);
  // Safe to call reused, though nobody has had it: the flag costs a barrier and saves no correctness.
  t.is(addressOf(slab.allocate(64, 1)) - BASE, 64n);
});

test('neighbours join when they are freed, in any order', (t) => {
  for (const order of [
    [0, 1, 2],
    [2, 1, 0],
    [1, 0, 2],
    [0, 2, 1],
  ]) {
    const slab = new SlabAllocator(BASE, 3 * 64);
    const addresses = [1, 2, 3].map(() => addressOf(slab.allocate(64, 1)));
    t.is(slab.allocate(1, 1), undefined);
    for (const index of order) slab.free(addresses[index] ?? BASE);
    t.is(addressOf(slab.allocate(3 * 64, 1)), BASE, order.join());
  }
});

test('what does not fit gives nothing and changes nothing', (t) => {
  const slab = new SlabAllocator(BASE, 256);
  t.is(slab.allocate(257, 1), undefined);
  slab.allocate(64, 1);
  t.is(slab.allocate(64, 256), undefined);
  t.is(slab.allocate(193, 1), undefined);
  t.is(addressOf(slab.allocate(192, 1)) - BASE, 64n);
  t.is(slab.allocate(0, 1), undefined);
  t.is(slab.allocatedBytes, 256);
});

test('a slab without memory gives none', (t) => {
  t.is(new SlabAllocator(BASE, 0).allocate(1, 1), undefined);
});

test('freeing what is not allocated is a bug and says so', (t) => {
  const slab = new SlabAllocator(BASE, 256);
  const address = addressOf(slab.allocate(128, 1));
  t.throws(() => slab.free(toExecutorAddr(address + 64n)), { message: /freed what was not allocated/ });
  slab.free(address);
  t.throws(() => slab.free(address), { message: /freed what was not allocated/ });
});

test('thousands of random allocations and releases agree with a map of granules', (t) => {
  const granules = 512;
  const slab = new SlabAllocator(BASE, granules * GRANULE_BYTES);
  const random = randomFrom(20260101);
  const owner = new Array<ExecutorAddr | undefined>(granules).fill(undefined);
  const touched = new Array<boolean>(granules).fill(false);
  const live: { address: ExecutorAddr; first: number; count: number }[] = [];
  let failures = 0;
  for (let step = 0; step < 20_000; step++) {
    if (random(100) < 53) {
      const sizeBytes = 1 + random(20 * GRANULE_BYTES);
      const alignment = 1 << random(11);
      const count = Math.ceil(sizeBytes / GRANULE_BYTES);
      const allocated = slab.allocate(sizeBytes, alignment);
      const stride = Math.max(alignment / GRANULE_BYTES, 1);
      let fit: number | undefined;
      for (let first = 0; fit === undefined && first + count <= granules; first += stride)
        if (owner.slice(first, first + count).every((one) => one === undefined)) fit = first;
      if (!allocated) {
        failures++;
        if (fit !== undefined) return t.fail(`step ${step}: ${count} granules fit at ${fit}`);
        continue;
      }
      const first = Number(allocated.address - BASE) / GRANULE_BYTES;
      // First fit: the lowest place there is.
      if (first !== fit) return t.fail(`step ${step}: at ${first}, not ${fit}`);
      if (touched.slice(first, first + count).some(Boolean) && !allocated.reused)
        return t.fail(`step ${step}: reused memory called fresh`);
      owner.fill(allocated.address, first, first + count);
      touched.fill(true, first, first + count);
      live.push({ address: allocated.address, first, count });
    } else if (live.length > 0) {
      const [freed] = live.splice(random(live.length), 1);
      if (!freed) return t.fail();
      slab.free(freed.address);
      owner.fill(undefined, freed.first, freed.first + freed.count);
    }
  }
  t.true(failures > 100, `only ${failures} allocations found no room`);
  t.is(slab.allocatedBytes, owner.filter((one) => one !== undefined).length * GRANULE_BYTES);
  for (const { address } of live) slab.free(address);
  t.is(slab.allocatedBytes, 0);
  t.is(addressOf(slab.allocate(granules * GRANULE_BYTES, 1)), BASE);
});
