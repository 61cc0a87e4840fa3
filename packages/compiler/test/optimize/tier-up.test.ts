import test from 'ava';
import { Assumptions } from '../../src/core/assumptions.js';
import { type MaterializationUnit, ObjectPart } from '../../src/core/materialization-unit.js';
import { EventStream } from '../../src/observe/event-stream.js';
import { UNTRACED } from '../../src/observe/tracing.js';
import { TierUp } from '../../src/optimize/tier-up.js';
import { gate } from '../gate.js';
import { functionUnit } from '../session/units.js';

/** A function that depends on `g`, on its way up: each step of each attempt is told, and may be made to wait. */
function tierUpOf(steps: readonly (() => Promise<void>)[], replans = false) {
  const unit = functionUnit('f');
  const events = new EventStream();
  const said: string[] = [];
  events.subscribe((event) => said.push(event.type));
  const waits = [...steps];
  const step = async (name: string) => {
    said.push(name);
    await waits.shift()?.();
  };
  const assumptions = new Assumptions();
  const tierUp = new TierUp({
    events,
    assumptions,
    tracing: () => UNTRACED,
    hasCallbacks: () => false,
    install: () => step('install'),
    uninstall: () => {
      said.push('uninstall');
    },
  });
  tierUp.use({
    makeOptimized: async (made: MaterializationUnit, onPlanned) => {
      const plan = () => onPlanned({ name: 'f', level: 2, available: ['g'], dependencies: ['g'] });
      plan();
      await step('compile');
      if (replans) plan();
      const part = new ObjectPart(made, () => {
        throw new Error('nobody links it');
      });
      return { part, compiled: undefined };
    },
  });
  const settled = async () => {
    for (let turn = 0; turn < 10; turn++) await new Promise(setImmediate);
  };
  return { unit, tierUp, assumptions, said, settled };
}

const AT_ONCE = () => Promise.resolve();

test('a function that is hot is compiled and installed once', async (t) => {
  const { unit, tierUp, said, settled } = tierUpOf([]);
  tierUp.noteHot(unit);
  tierUp.noteHot(unit);
  t.is(tierUp.stateOf(unit), 'compiling');
  await settled();
  t.is(tierUp.stateOf(unit), 'optimized');
  t.deepEqual(said, ['compile', 'install', 'tier-up']);
});

test('a callee that changes while the function is compiled: it is compiled again, and only that is installed', async (t) => {
  const { wait, reached, open } = gate();
  const { unit, tierUp, assumptions, said, settled } = tierUpOf([wait]);
  tierUp.noteHot(unit);
  await reached;
  assumptions.changed('g', 'body');
  open();
  await settled();
  t.is(tierUp.stateOf(unit), 'optimized');
  t.deepEqual(said, ['compile', 'uninstall', 'compile', 'install', 'tier-up']);
});

test('what is planned anew after a callee has changed is made of what it is now: it is installed', async (t) => {
  const { wait, reached, open } = gate();
  const { unit, tierUp, assumptions, said, settled } = tierUpOf([wait], true);
  tierUp.noteHot(unit);
  await reached;
  assumptions.changed('g', 'body');
  open();
  await settled();
  t.is(tierUp.stateOf(unit), 'optimized');
  t.deepEqual(said, ['compile', 'uninstall', 'install', 'tier-up']);
  // It depends on what was planned last, too.
  assumptions.changed('g', 'body');
  t.is(tierUp.stateOf(unit), 'baseline');
});

test('a callee that changes while the function is installed: it is compiled and installed again', async (t) => {
  const { wait, reached, open } = gate();
  const { unit, tierUp, assumptions, said, settled } = tierUpOf([AT_ONCE, wait]);
  tierUp.noteHot(unit);
  await reached;
  assumptions.changed('g', 'body');
  open();
  await settled();
  t.is(tierUp.stateOf(unit), 'optimized');
  t.deepEqual(said, ['compile', 'install', 'uninstall', 'compile', 'install', 'tier-up']);
});

test('a function that is given up while it is installed is not said to be optimised', async (t) => {
  const { wait, reached, open } = gate();
  const { unit, tierUp, said, settled } = tierUpOf([AT_ONCE, wait]);
  tierUp.noteHot(unit);
  await reached;
  tierUp.noteForgotten(unit);
  open();
  await settled();
  t.is(tierUp.stateOf(unit), 'baseline');
  t.deepEqual(said, ['compile', 'install']);
});

test('a function that does not link stays as it was, and is not tried again', async (t) => {
  const { unit, tierUp, said, settled } = tierUpOf([AT_ONCE, () => Promise.reject(new Error('no room'))]);
  tierUp.noteHot(unit);
  await settled();
  tierUp.noteHot(unit);
  await settled();
  t.is(tierUp.stateOf(unit), 'failed');
  t.deepEqual(said, ['compile', 'install', 'uninstall', 'tier-up-failed']);
});
