import { setImmediate as turn } from 'node:timers/promises';
import type { HostEvent } from '@farjit/protocol';
import test from 'ava';
import { EventStream } from '../../src/observe/event-stream.js';
import { HostObservation, type ObservedExecutor } from '../../src/observe/host-observation.js';

const STARTED: HostEvent = { type: 'host-runner-started', atNs: 5, generation: 1, processId: 77 };

function observed(answer: () => Promise<{ atNs: number; processId: number }>, hasFeature = true) {
  const asked: boolean[] = [];
  const executor: ObservedExecutor = {
    has: () => hasFeature,
    observe: (isWanted) => {
      asked.push(isWanted);
      return answer();
    },
    readClock: answer,
  };
  const events = new EventStream();
  const heard: [string, number | undefined][] = [];
  events.subscribe((event) =>
    heard.push([event.type, event.type === 'events-missed' ? event.count : event.processId]),
  );
  return { host: new HostObservation(events, () => executor), asked, heard };
}

test('events that come before the clock is known wait for it, and are told then', async (t) => {
  let answer: (value: { atNs: number; processId: number }) => void = () => {};
  const { host, heard } = observed(() => new Promise((resolve) => (answer = resolve)));
  const end = host.want();
  host.received([STARTED], 0);
  t.deepEqual(heard, []);
  t.is(host.clockErrorNs, undefined);
  answer({ atNs: 10, processId: 5 });
  await turn();
  t.deepEqual(heard, [['host-runner-started', 77]]);
  t.true((host.clockErrorNs ?? -1) >= 0);
  host.received([], 3);
  t.deepEqual(heard.at(-1), ['events-missed', 3]);
  end();
});

test('a host that never says what time it is has no more kept than a little', (t) => {
  const { host, heard } = observed(() => new Promise(() => {}));
  const end = host.want();
  for (let batch = 0; batch < 100; batch++) host.received([STARTED, STARTED], 1);
  t.is(heard.length, 100 - 32);
  t.true(heard.every(([type, count]) => type === 'events-missed' && count === 3));
  end();
});

test("a host of a release that cannot tell is not asked, and news that nobody wants is nobody's", async (t) => {
  const old = observed(async () => ({ atNs: 0, processId: 1 }), false);
  old.host.want()();
  t.deepEqual(old.asked, []);
  const { host, asked, heard } = observed(async () => ({ atNs: 0, processId: 1 }));
  host.received([STARTED], 0);
  const [one, other] = [host.want(), host.want()];
  await turn();
  one();
  other();
  other();
  t.deepEqual(asked, [true, false]);
  host.received([STARTED], 0);
  t.deepEqual(heard, []);
});
