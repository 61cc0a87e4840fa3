import { type HostEvent, observation } from '@farjit/protocol';
import test from 'ava';
import { Observation } from '../src/observation.js';

function observed() {
  const told: { events: HostEvent[]; droppedCount: number }[] = [];
  const due: (() => void)[] = [];
  const state = { isCongested: false };
  const observing = new Observation({
    notify: (events, droppedCount) => told.push({ events, droppedCount }),
    isCongested: () => state.isCongested,
    later: (work) => due.push(work),
  });
  const runDue = () => {
    for (const work of due.splice(0)) work();
  };
  const event = (generation: number): HostEvent => ({
    ...{ type: 'host-runner-started', atNs: observing.nowNs(), generation, processId: 1 },
  });
  return { observing, told, due, runDue, event, state };
}

test('while nobody looks there is nobody to tell', (t) => {
  const { observing } = observed();
  t.is(observing.observer, undefined);
  observing.want(true, () => {});
  t.is(observing.observer, observing);
  observing.want(false, () => {});
  t.is(observing.observer, undefined);
});

test('events are told some at a time, after what was asked for', (t) => {
  const { observing, told, due, runDue, event } = observed();
  observing.want(true, () => {
    if (told.length === 0) observing.add(event(9));
  });
  for (let i = 0; i < observation.MAX_HOST_EVENTS; i++) observing.add(event(i));
  t.is(told.length, 0);
  t.is(due.length, 1);
  runDue();
  t.is(told[0]?.events.length, observation.MAX_HOST_EVENTS);
  runDue();
  t.deepEqual(
    told[1]?.events.map(({ generation }) => generation),
    [9],
  );
  t.is(due.length, 0);
});

test('a compiler that does not read has events kept up to a bound, and is told how many were not', (t) => {
  const { observing, told, runDue, event, state } = observed();
  observing.want(true, () => {});
  state.isCongested = true;
  for (let i = 0; i < observation.MAX_KEPT_HOST_EVENTS + 5; i++) observing.add(event(i));
  runDue();
  t.is(told.length, 0);
  state.isCongested = false;
  observing.flush();
  t.is(told[0]?.droppedCount, 5);
  t.is(
    told.reduce((sum, { events }) => sum + events.length, 0),
    observation.MAX_KEPT_HOST_EVENTS,
  );
  t.true(told.every(({ events }) => events.length <= observation.MAX_HOST_EVENTS));
});

test('times of the runner are at most now, and at least the beginning', (t) => {
  const { observing } = observed();
  t.is(observing.runnerNs(0n), 0);
  const nowNs = observing.nowNs();
  const saidNs = observing.runnerNs(2n ** 63n);
  t.true(saidNs >= nowNs && saidNs <= observing.nowNs());
});
