import test from 'ava';
import { nameOf } from '../../src/cache/object-name.js';
import { SharedObjects } from '../../src/cache/shared-objects.js';
import { gate } from '../gate.js';

const A = Uint8Array.of(1, 2, 3);
const B = Uint8Array.of(4, 5, 6);

test('what is neither there nor being made has to be made', (t) => {
  const shared = new SharedObjects();
  t.is(shared.elsewhere(A), undefined);
  shared.memory.set(nameOf(A), Uint8Array.of(7));
  t.true(shared.elsewhere(A) instanceof Promise);
  t.is(shared.elsewhere(B), undefined);
});

test('others wait until it has been made and kept', async (t) => {
  const shared = new SharedObjects();
  const { wait, open } = gate();
  const made = shared.claim([A, B], async () => {
    await wait();
    shared.memory.set(nameOf(A), Uint8Array.of(7));
    return 'made';
  });
  const waiting = shared.elsewhere(A)?.then(() => shared.memory.get(nameOf(A)));
  t.truthy(shared.elsewhere(B));
  open();
  t.is(await made, 'made');
  t.deepEqual(await waiting, Uint8Array.of(7));
  t.is(shared.elsewhere(B), undefined);
});

test('who fails to make it lets the others try', async (t) => {
  const shared = new SharedObjects();
  const { wait, fail } = gate();
  const failing = shared.claim([A], wait);
  const waiting = shared.elsewhere(A);
  fail(new Error('LLVM says no'));
  await t.throwsAsync(failing, { message: 'LLVM says no' });
  await t.notThrowsAsync(waiting ?? Promise.reject(new Error('nobody waited')));
  t.is(shared.elsewhere(A), undefined);
});
