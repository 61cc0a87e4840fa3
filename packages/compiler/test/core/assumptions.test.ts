import test from 'ava';
import { type Aspect, Assumptions } from '../../src/core/assumptions.js';

function indexOf() {
  const assumptions = new Assumptions();
  const said: string[] = [];
  const assume = (owner: { name: string }, aspect: Aspect, ...names: string[]) =>
    assumptions.assume({
      owner,
      aspect,
      names,
      giveUp: (changed) => said.push(`${owner.name} over ${changed}`),
    });
  return { assumptions, assume, said };
}

test('who relied on an aspect of a name that changes gives up, once, and others do not', (t) => {
  const { assumptions, assume, said } = indexOf();
  const [object, loop] = [{ name: 'object' }, { name: 'loop' }];
  assume(object, 'signature', 'f', 'g');
  assume(object, 'absence', 'g');
  assume(loop, 'body', 'f');
  assumptions.changed('h', 'body');
  assumptions.changed('f', 'absence');
  t.deepEqual(said, []);
  assumptions.changed('g', 'absence');
  t.deepEqual(said, ['object over g']);
  assumptions.changed('f', 'signature', 'body');
  assumptions.changed('f', 'signature', 'body');
  t.deepEqual(said, ['object over g', 'loop over f'], 'what has been given up relies on nothing');
});

test('what is released is not given up, and may assume anew', (t) => {
  const { assumptions, assume, said } = indexOf();
  const owner = { name: 'object' };
  assume(owner, 'body', 'f');
  assumptions.release(owner);
  assumptions.release(owner);
  assumptions.changed('f', 'body');
  t.deepEqual(said, []);
  assume(owner, 'body', 'g');
  assumptions.changed('f', 'body');
  assumptions.changed('g', 'body');
  t.deepEqual(said, ['object over g']);
});

test('giving up may assume and release at will', (t) => {
  const assumptions = new Assumptions();
  const said: string[] = [];
  const owners = ['a', 'b', 'c'].map((name) => ({ name }));
  for (const owner of owners)
    assumptions.assume({
      owner,
      aspect: 'body',
      names: ['f'],
      giveUp: () => {
        said.push(owner.name);
        for (const other of owners) assumptions.release(other);
        assumptions.assume({ owner, aspect: 'body', names: ['f'], giveUp: () => said.push('again') });
      },
    });
  assumptions.changed('f', 'body');
  t.deepEqual(said, ['a'], 'the others were released by the first');
  assumptions.changed('f', 'body');
  t.deepEqual(said, ['a', 'again']);
});
