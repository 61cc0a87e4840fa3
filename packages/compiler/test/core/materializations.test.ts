import test from 'ava';
import { implementationName, MaterializationUnit, ObjectPart } from '../../src/core/materialization-unit.js';
import { Materializations } from '../../src/core/materializations.js';
import { strongSymbols } from '../../src/core/symbol-flags.js';
import { LinkGraph } from '../../src/jitlink/link-graph.js';
import { x86_64 } from '../../src/jitlink/x86_64/x86_64.js';
import { gate } from '../gate.js';
import { NO_TIMINGS } from '../session/units.js';

/** A unit whose compilations the test counts and lets go on, fail or wait. */
function countedUnit(compile: (count: number) => Promise<void>) {
  let count = 0;
  let begun = 0;
  let compiled = 0;
  const unit: MaterializationUnit = new MaterializationUnit(
    'm',
    {
      kind: 'module',
      materialize: async (responsibility) => {
        responsibility.materializing();
        await compile(++count);
        const part = (name: string) => new ObjectPart(unit, () => new LinkGraph(name, x86_64));
        const parts = new Map([
          ['f', part('f')],
          ['g', part('g')],
        ]);
        responsibility.emit(parts, { compiler: 'llvm', objectBytes: 3, timings: NO_TIMINGS });
      },
    },
    strongSymbols(['f', 'g', 'missing']),
  );
  const materializations = new Materializations({
    materializing: () => {
      begun++;
    },
    compiled: () => {
      compiled++;
    },
    discarded: () => {},
    standInOf: () => undefined,
  });
  const partOf = (name: string) => materializations.partOf(unit, name);
  return { unit, materializations, partOf, counts: () => ({ count, begun, compiled }) };
}

test('a unit is compiled when something of it is first needed, once for all its parts', async (t) => {
  const { unit, materializations, partOf, counts } = countedUnit(async () => {});
  t.is(materializations.partsOf(unit).size, 0);
  t.is(materializations.knownPart(unit, 'f'), undefined);
  const [f, sameF, g] = await Promise.all([partOf('f'), partOf('f'), partOf('g')]);
  t.is(f, sameF);
  t.not(f, g);
  t.is(await partOf('g'), g);
  t.deepEqual(counts(), { count: 1, begun: 1, compiled: 1 });
  t.deepEqual([...materializations.partsOf(unit)], [f, g]);
  t.is(materializations.knownPart(unit, 'f'), f);
});

test('all who wait for a compilation that fails are told, and the next one tries again', async (t) => {
  const { partOf, counts } = countedUnit(async (count) => {
    if (count === 1) throw new Error('no');
  });
  const results = await Promise.allSettled([partOf('f'), partOf('g')]);
  t.deepEqual(
    results.map(({ status }) => status),
    ['rejected', 'rejected'],
  );
  t.truthy(await partOf('f'));
  t.deepEqual(counts(), { count: 2, begun: 2, compiled: 1 });
});

test('an object that is given up is made again', async (t) => {
  const { unit, materializations, partOf, counts } = countedUnit(async () => {});
  const first = await partOf('f');
  t.false(first && materializations.isDiscarded(first));
  materializations.discard(unit);
  t.true(first && materializations.isDiscarded(first));
  t.is(materializations.partsOf(unit).size, 0);
  const second = await partOf('f');
  t.not(second, first);
  t.false(second && materializations.isDiscarded(second));
  t.is(counts().count, 2);
});

test('an object that is given up while it is made is of no use to those who wait for it', async (t) => {
  const { wait, reached, open } = gate();
  const { unit, materializations, partOf, counts } = countedUnit((count) =>
    count === 1 ? wait() : Promise.resolve(),
  );
  const waiting = [partOf('f'), partOf('g')];
  await reached;
  materializations.discard(unit);
  const fresh = await partOf('f');
  t.truthy(fresh);
  open();
  t.deepEqual(await Promise.all(waiting), [undefined, undefined]);
  t.is(materializations.knownPart(unit, 'f'), fresh);
  t.is(counts().count, 2);
});

test('nor is its failure, which does not undo the compilation that came after it', async (t) => {
  const { wait, reached, fail } = gate();
  const { unit, materializations, partOf, counts } = countedUnit((count) =>
    count === 1 ? wait() : Promise.resolve(),
  );
  const waiting = partOf('f');
  await reached;
  materializations.discard(unit);
  const fresh = await partOf('f');
  fail(new Error('late'));
  t.is(await waiting, undefined);
  t.is(await partOf('f'), fresh);
  t.is(counts().count, 2);
});

test('whoever only waits for a compilation begins none, and is told of a failure that counts', async (t) => {
  const { unit, materializations, partOf, counts } = countedUnit(async (count) => {
    if (count === 1) throw new Error('no');
  });
  await materializations.settled(unit);
  t.is(counts().count, 0);
  const failing = partOf('f');
  await t.throwsAsync(materializations.settled(unit), { message: 'no' });
  await t.throwsAsync(failing);
  const given = partOf('f');
  const settled = materializations.settled(unit);
  materializations.discard(unit);
  await settled;
  t.is(await given, undefined);
  t.is(counts().count, 2);
});

test('a name that the object does not define after all', async (t) => {
  const { partOf } = countedUnit(async () => {});
  await t.throwsAsync(partOf('missing'), {
    code: 'DEFINITION_DROPPED',
    message: /^the object of m does not define missing: /,
  });
});

test('a fresh graph each time', async (t) => {
  const { partOf } = countedUnit(async () => {});
  const part = await partOf('f');
  t.is(part?.takeGraph().name, 'f');
  t.not(part?.takeGraph(), part?.takeGraph());
});

test('the implementation of a public name', (t) => {
  t.is(implementationName('f'), 'f$impl');
});
