import { availableParallelism } from 'node:os';
import type { RunnerEnd } from '@farjit/protocol';
import test from 'ava';
import { Account, Accounts, UNUSED } from '../src/accounts.js';
import type { Quotas } from '../src/identity.js';

const MINUTE_MS = 60_000;

class TestRunner {
  readonly ends: RunnerEnd[] = [];

  kill(end: RunnerEnd): void {
    this.ends.push(end);
  }
}

function accountWith(quotas: Quotas) {
  const clock = { nowMs: 0 };
  const account = new Account({ kind: 'token', name: 'a', quotas }, () => clock.nowMs);
  return { account, clock };
}

const used = (cpuSeconds: number, memoryBytes = 0) => ({ ...UNUSED, cpuSeconds, memoryBytes });
const quota = (name: 'sessions' | 'memory' | 'cpu' | 'calls', value: number) => ({
  name,
  value,
  identity: 'token a',
});

test('so many sessions and no more, until one has ended', (t) => {
  const { account } = accountWith({ sessions: 2 });
  const end = account.addSession();
  t.is(account.sessionObstacle, undefined);
  account.addSession();
  t.deepEqual(account.sessionObstacle, quota('sessions', 2));
  end();
  t.is(account.sessionObstacle, undefined);
  t.is(account.sessionCount, 1);
});

test('so many calls and no more, until one has ended', (t) => {
  const { account } = accountWith({ calls: 1 });
  const end = account.beginCall();
  t.throws(() => account.beginCall(), {
    code: 'QUOTA_EXCEEDED',
    message: 'the quota calls=1 of token a is used up',
  });
  t.is(account.callCount, 1);
  end();
  account.beginCall()();
  t.is(account.callCount, 0);
});

test('without quotas nothing is refused or ended', (t) => {
  const { account } = accountWith({});
  const runner = new TestRunner();
  for (let i = 0; i < 1000; i++) {
    account.addSession();
    account.beginCall();
  }
  account.report(runner, used(1e6, 1e15), true);
  t.is(account.sessionObstacle, undefined);
  t.deepEqual(runner.ends, []);
});

test('memory is that of all runners, and the largest ends when it is too much', (t) => {
  const { account } = accountWith({ memory: 1024 });
  const [small, large, last] = [new TestRunner(), new TestRunner(), new TestRunner()];
  account.report(small, used(0, 300), false);
  account.report(large, used(0, 600), false);
  account.report(last, used(0, 124), false);
  t.is(account.memoryBytes, 1024);
  t.deepEqual(
    [small, large, last].flatMap(({ ends }) => ends),
    [],
  );
  account.report(last, used(0, 125), false);
  t.deepEqual(large.ends, [{ kind: 'quota', quota: quota('memory', 1024) }]);
  account.forget(large, 0);
  t.is(account.memoryBytes, 425);
  account.report(last, used(0, 200), false);
  t.deepEqual(
    [small, last].flatMap(({ ends }) => ends),
    [],
  );
});

test('CPU time is that of an hour, of runners that are gone too', (t) => {
  const { account, clock } = accountWith({ cpu: 100 });
  const [first, second] = [new TestRunner(), new TestRunner()];
  account.report(first, used(60), true);
  account.forget(first, 60);
  clock.nowMs = 30 * MINUTE_MS;
  account.report(second, used(39), true);
  t.is(account.cpuSeconds, 99);
  account.beginCall()();
  account.report(second, used(40), true);
  t.deepEqual(second.ends, [{ kind: 'quota', quota: quota('cpu', 100) }]);
  t.throws(() => account.beginCall(), { message: 'the quota cpu=100 of token a is used up' });
  t.deepEqual(account.sessionObstacle, quota('cpu', 100));
  clock.nowMs = 60 * MINUTE_MS;
  t.is(account.cpuSeconds, 40);
  account.beginCall()();
  clock.nowMs = 90 * MINUTE_MS;
  t.is(account.cpuSeconds, 0);
});

test('a runner that does nothing is not ended for the CPU time of others', (t) => {
  const { account } = accountWith({ cpu: 1 });
  const [idle, busy] = [new TestRunner(), new TestRunner()];
  account.report(idle, used(0.1), false);
  account.report(busy, used(2), true);
  account.report(idle, used(0.1), false);
  t.is(busy.ends.length, 1);
  t.is(idle.ends.length, 0);
  account.report(idle, used(0.11), false);
  t.is(idle.ends.length, 1);
});

test('what a runner used unseen, where the kernel has not said it, is counted as the most it can have been', (t) => {
  const { account, clock } = accountWith({});
  const runner = new TestRunner();
  account.report(runner, UNUSED, false);
  clock.nowMs = 500;
  account.forget(runner, undefined);
  t.is(account.cpuSeconds, 0.5 * availableParallelism());
  account.forget(runner, undefined);
  t.is(account.cpuSeconds, 0.5 * availableParallelism());
});

test('what a runner has used in all is counted once, with what was seen of it before', (t) => {
  const { account, clock } = accountWith({});
  const runner = new TestRunner();
  account.report(runner, used(3), true);
  clock.nowMs = 500;
  account.forget(runner, 3.5);
  t.is(account.cpuSeconds, 3.5);
});

test('accounts go by kind and name, take the newest quotas, and are forgotten when nothing is left of them', (t) => {
  let nowMs = 0;
  const accounts = new Accounts(() => nowMs);
  const token = accounts.of({ kind: 'token', name: 'a', quotas: { calls: 1 } });
  t.is(accounts.of({ kind: 'token', name: 'a', quotas: { calls: 2 } }), token);
  t.deepEqual(token.identity.quotas, { calls: 2 });
  const endSession = token.addSession();
  const certificate = accounts.of({ kind: 'certificate', name: 'a', quotas: {} });
  t.not(certificate, token);
  t.is([...accounts].length, 2);
  const runner = new TestRunner();
  token.report(runner, used(1), true);
  token.forget(runner, 0);
  endSession();
  accounts.of({ kind: 'token', name: 'b', quotas: {} });
  t.deepEqual(
    [...accounts].map(({ identity }) => identity.name),
    ['a', 'b'],
  );
  nowMs = 61 * MINUTE_MS;
  accounts.of({ kind: 'token', name: 'c', quotas: {} });
  t.deepEqual(
    [...accounts].map(({ identity }) => identity.name),
    ['c'],
  );
});

test('a quota is reached by as much as it says', (t) => {
  const { account, clock } = accountWith({ cpu: 10, calls: 2, sessions: 1 });
  const runner = new TestRunner();
  account.report(runner, used(9.99), true);
  t.is(account.sessionObstacle, undefined);
  account.addHostTime(5);
  t.deepEqual(account.sessionObstacle, undefined);
  account.addHostTime(5);
  t.deepEqual(account.sessionObstacle, quota('cpu', 10));
  t.throws(() => account.beginCall(), { code: 'QUOTA_EXCEEDED' });
  t.is(account.callCount, 0);
  clock.nowMs = 60 * MINUTE_MS;
  const ends = [account.beginCall(), account.beginCall()];
  t.throws(() => account.beginCall(), { message: 'the quota calls=2 of token a is used up' });
  for (const end of ends) end();
  t.is(account.callCount, 0);
});

test('sessions are told of before CPU time is', (t) => {
  const { account } = accountWith({ cpu: 1, sessions: 1, calls: 1 });
  account.addHostTime(2000);
  account.addSession();
  t.deepEqual(account.sessionObstacle, quota('sessions', 1));
});

test('time that was used counts for the hour of its minute, and not a minute more', (t) => {
  const { account, clock } = accountWith({});
  account.addHostTime(1000);
  clock.nowMs = MINUTE_MS - 1;
  account.addHostTime(2000);
  clock.nowMs = MINUTE_MS;
  account.addHostTime(4000);
  t.is(account.cpuSeconds, 7);
  clock.nowMs = 60 * MINUTE_MS - 1;
  t.is(account.cpuSeconds, 7);
  clock.nowMs = 60 * MINUTE_MS;
  t.is(account.cpuSeconds, 4);
  t.false(account.isIdle);
  clock.nowMs = 61 * MINUTE_MS;
  t.is(account.cpuSeconds, 0);
  t.true(account.isIdle);
});

test('an account is idle without sessions, runners and time that counts', (t) => {
  const { account } = accountWith({});
  t.true(account.isIdle);
  const end = account.addSession();
  t.false(account.isIdle);
  end();
  const runner = new TestRunner();
  account.report(runner, used(0, 5), false);
  t.false(account.isIdle);
  account.forget(runner, 0);
  t.true(account.isIdle);
});

test('a runner counts for what it has used since it was looked at before', (t) => {
  const { account, clock } = accountWith({});
  const runner = new TestRunner();
  account.report(runner, used(5, 100), true);
  account.report(runner, used(7, 40), true);
  t.deepEqual([account.cpuSeconds, account.memoryBytes], [7, 40]);
  clock.nowMs = 3000;
  account.report(runner, used(7, 40), true);
  clock.nowMs = 4000;
  // Only the last second was not seen.
  account.forget(runner, undefined);
  t.is(account.cpuSeconds, 7 + availableParallelism());
  t.is(account.memoryBytes, 0);
  account.forget(runner, undefined);
  t.is(account.memoryBytes, 0);
});
