import { JIT, KaleidoscopeJIT, type SessionEvent } from '@farjit/compiler';
import test from 'ava';

const SOURCE = `
  def leaf(x) x + 1;
  def middle(x) leaf(x) * 2;
  def top(x) middle(x) + middle(x + 1);
`;

type Of<Type extends SessionEvent['type']> = Extract<SessionEvent, { type: Type }>;

/** Runs a program with everything heard, and answers what was. */
async function heardOf(optLevel?: 0): Promise<SessionEvent[]> {
  const jit = await KaleidoscopeJIT.create({
    speculate: 'off',
    cacheMaxBytes: 0,
    ...(optLevel !== undefined && { optLevel }),
  });
  const events: SessionEvent[] = [];
  jit.subscribe((event) => events.push(event), { host: true });
  await jit.addSource(SOURCE);
  const top = await jit.lookup('top');
  await top(3);
  await jit.close();
  return events;
}

function all<Type extends SessionEvent['type']>(events: readonly SessionEvent[], type: Type): Of<Type>[] {
  return events.filter((event): event is Of<Type> => event.type === type);
}

test('while nobody listens no event is made, and everything is counted', async (t) => {
  const jit = await KaleidoscopeJIT.create();
  await jit.addSource(SOURCE);
  const top = await jit.lookup('top');
  t.is(await top(3), 18);
  const { compileCallbacks, functionsCompiled, bytesSent } = jit.statistics();
  t.true(compileCallbacks > 0 && functionsCompiled > 0 && bytesSent > 0);
  t.is(jit.eventsMade, 0);
  const end = jit.subscribe(() => {});
  await top(4);
  t.true(jit.eventsMade > 0);
  end();
  const before = jit.eventsMade;
  await top(5);
  t.is(jit.eventsMade, before);
  await jit.close();
});

test('each callback is told of from the stub to the landing, on one clock and in order', async (t) => {
  const events = await heardOf(0);
  const begun = all(events, 'callback-begun');
  t.true(begun.length >= 3);
  t.deepEqual(
    begun.map(({ symbol }) => symbol).filter((name) => name === 'leaf'),
    ['leaf'],
  );
  for (const { callback, atNs, generation, address } of begun) {
    const one = <Type extends SessionEvent['type']>(type: Type): Of<Type> => {
      const found = all(events, type).filter((event) => 'callback' in event && event.callback === callback);
      t.is(found.length, 1, `${type} of callback ${callback}`);
      return found[0] as Of<Type>;
    };
    const [bell, blocked, answered] = [one('doorbell'), one('thread-blocked'), one('callback')];
    const [received, released, landed] = [
      one('answer-received'),
      one('thread-released'),
      one('thread-landed'),
    ];
    const errorNs = Math.max(bell.errorNs, blocked.errorNs, received.errorNs, released.errorNs);
    t.true(errorNs > 0 && errorNs < 1e9, `${errorNs} ns`);
    // On the host's clock alone, exactly.
    const host = [bell.rangNs, bell.atNs, blocked.atNs, received.atNs, released.atNs, landed.atNs];
    t.deepEqual(
      [...host].sort((a, b) => a - b),
      host,
    );
    // Over both, as exactly as is said.
    t.true(blocked.atNs - errorNs <= atNs);
    t.true(atNs <= answered.atNs);
    t.true(answered.atNs <= received.atNs + errorNs);
    t.is(bell.process, 'host');
    t.is(landed.process, 'runner');
    t.not(bell.processId, landed.processId);
    t.is(bell.thread, landed.thread);
    t.true((bell.thread ?? 0) > 0 && (bell.call ?? 0) > 0);
    t.is(bell.generation, generation);
    t.is(bell.address, address);
    t.true((released.address ?? 0n) > 0n);
  }
  const commits = all(events, 'commit-written');
  t.true(commits.length > 0);
  for (const { beganNs, atNs, segmentCount } of commits) t.true(beganNs <= atNs && segmentCount >= 0);
});

test('runners that start and end are told of, as their host sees it', async (t) => {
  const events = await heardOf();
  const [started] = all(events, 'host-runner-started');
  const [ended] = all(events, 'host-runner-ended');
  t.true((started?.processId ?? 0) > 0);
  t.is(ended?.processId, started?.processId);
  t.is(ended?.end, 'cancelled');
});

test('a module that is compiled says who made it, when, and of what', async (t) => {
  const jit = await KaleidoscopeJIT.create({ optLevel: 0, speculate: 'off', cacheMaxBytes: 0 });
  const events: SessionEvent[] = [];
  const end = jit.subscribe((event) => events.push(event), { artefacts: true });
  await jit.addSource(SOURCE);
  await (await jit.lookup('leaf'))(1);
  const made = all(events, 'module-compiled').find(({ unit }) => unit === 'leaf');
  if (!made) return t.fail('leaf was not compiled');
  const { input = '', object = '', beganNs, sentNs, answeredNs, timings, processId } = made;
  t.true(beganNs <= sentNs && sentNs < answeredNs);
  t.true((timings.parseMs + timings.passesMs + timings.emitMs) * 1e6 <= answeredNs - sentNs);
  t.not(processId, process.pid);
  t.is(jit.artefact(object)?.byteLength, made.objectBytes);
  t.is(jit.artefact(input)?.byteLength, made.inputBytes);
  const linked = all(events, 'linked').find(({ unit }) => unit === 'leaf');
  t.is(jit.artefact(linked?.bytes ?? '')?.byteLength, linked?.segmentBytes);
  t.true((jit.artefact(linked?.graph ?? '')?.byteLength ?? 0) > 0);
  t.is(jit.artefact('00'.repeat(32)), undefined);
  end();
  t.is(jit.artefact(object), undefined);
  await jit.close();
});

test('the host is asked when somebody wants it, and told when nobody does any more', async (t) => {
  const jit = await JIT.create();
  const asked = () => jit.statistics().roundTrips.observe ?? 0;
  const end = jit.subscribe(() => {});
  t.is(asked(), 0);
  const [one, other] = [jit.subscribe(() => {}, { host: true }), jit.subscribe(() => {}, { host: true })];
  await jit.executorStatus();
  t.is(asked(), 1);
  one();
  one();
  await jit.executorStatus();
  t.is(asked(), 1);
  other();
  await jit.executorStatus();
  t.is(asked(), 2);
  end();
  await jit.close();
});
