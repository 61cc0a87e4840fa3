import { availableParallelism } from 'node:os';
import type { RunnerEnd } from '@farjit/protocol';
import { monotonicMs } from '@farjit/protocol/clock';
import { RequestError } from '@farjit/protocol/errors';
import { describeQuota, type Quota, type QuotaName } from '@farjit/protocol/quotas';
import { describeIdentity, type Identity, type Quotas } from './identity.js';
import type { RunnerUsage } from './runner-watch.js';

/** CPU time is counted by the minute, and forgotten after an hour. */
const MINUTE_MS = 60_000;
const WINDOW_MINUTES = 60;

/** What a runner has used before anybody has looked. */
export const UNUSED: RunnerUsage = { memoryBytes: 0, threads: 0, cpuSeconds: 0 };

/** A runner as its identity's account sees it. */
export interface MeteredRunner {
  kill(end: RunnerEnd): void;
}

/** What is known of a runner. */
interface Meter {
  usage: RunnerUsage;
  lookedMs: number;
}

/** What all sessions of one identity use together, against its quotas. */
export class Account {
  #identity: Identity;
  readonly #nowMs: () => number;
  readonly #runners = new Map<MeteredRunner, Meter>();
  /** CPU seconds by minute. */
  readonly #cpu = new Map<number, number>();
  #memoryBytes = 0;
  #sessionCount = 0;
  #callCount = 0;

  /** @param nowMs a clock that never goes back. */
  constructor(identity: Identity, nowMs: () => number) {
    this.#identity = identity;
    this.#nowMs = nowMs;
  }

  /** With the quotas that hold now. */
  get identity(): Identity {
    return this.#identity;
  }

  get sessionCount(): number {
    return this.#sessionCount;
  }

  get callCount(): number {
    return this.#callCount;
  }

  /** Bytes that its runners had when they were last looked at. */
  get memoryBytes(): number {
    return this.#memoryBytes;
  }

  /** CPU time of its runners, and of the host for its sessions, in the last hour. */
  get cpuSeconds(): number {
    const oldest = this.#minute() - WINDOW_MINUTES;
    let sum = 0;
    for (const [minute, seconds] of this.#cpu)
      if (minute <= oldest) this.#cpu.delete(minute);
      else sum += seconds;
    return sum;
  }

  /** Nothing of it has to be remembered. */
  get isIdle(): boolean {
    return this.#sessionCount === 0 && this.#runners.size === 0 && this.cpuSeconds === 0;
  }

  /** From now on these hold, for sessions that are open, too. */
  setQuotas(quotas: Quotas): void {
    this.#identity = { ...this.#identity, quotas };
  }

  /** The quota that keeps another session from being opened. */
  get sessionObstacle(): Quota | undefined {
    return this.#reached('sessions', this.#sessionCount) ?? this.#reached('cpu', this.cpuSeconds);
  }

  /** @returns to be called when the session has ended. */
  addSession(): () => void {
    this.#sessionCount++;
    return () => {
      this.#sessionCount--;
    };
  }

  /**
   * A call begins.
   * @returns to be called when it has ended.
   * @throws {RequestError} QUOTA_EXCEEDED, and then it must not begin.
   */
  beginCall(): () => void {
    const reached = this.#reached('calls', this.#callCount) ?? this.#reached('cpu', this.cpuSeconds);
    if (reached) throw quotaExceeded(reached);
    this.#callCount++;
    return () => {
      this.#callCount--;
    };
  }

  /** The host has worked for one of its sessions, which counts like its runners' time. */
  addHostTime(usedMs: number): void {
    this.#addCpu(usedMs / 1000);
  }

  /** A runner has been looked at. Ends it, or the largest, when they use too much together. */
  report(runner: MeteredRunner, usage: RunnerUsage, isBusy: boolean): void {
    const before = this.#runners.get(runner)?.usage ?? UNUSED;
    const usedSeconds = usage.cpuSeconds - before.cpuSeconds;
    this.#memoryBytes += usage.memoryBytes - before.memoryBytes;
    this.#runners.set(runner, { usage, lookedMs: this.#nowMs() });
    this.#addCpu(usedSeconds);
    const cpu = isBusy || usedSeconds > 0 ? this.#reached('cpu', this.cpuSeconds) : undefined;
    if (cpu) runner.kill({ kind: 'quota', quota: cpu });
    const { memory } = this.#identity.quotas;
    if (memory !== undefined && this.#memoryBytes > memory)
      this.#largest()?.kill({ kind: 'quota', quota: this.#quota('memory', memory) });
  }

  /**
   * A runner is gone.
   * @param cpuSeconds all that it has used; what it has used since the last look is counted as all that it could have where that
   *   is not known.
   */
  forget(runner: MeteredRunner, cpuSeconds: number | undefined): void {
    const meter = this.#runners.get(runner);
    if (!meter) return;
    this.#runners.delete(runner);
    this.#memoryBytes -= meter.usage.memoryBytes;
    const { usage, lookedMs } = meter;
    const unseenSeconds =
      cpuSeconds === undefined
        ? ((this.#nowMs() - lookedMs) / 1000) * availableParallelism()
        : cpuSeconds - usage.cpuSeconds;
    this.#addCpu(unseenSeconds);
  }

  #addCpu(seconds: number): void {
    if (seconds <= 0) return;
    const minute = this.#minute();
    this.#cpu.set(minute, (this.#cpu.get(minute) ?? 0) + seconds);
  }

  #minute(): number {
    return Math.floor(this.#nowMs() / MINUTE_MS);
  }

  #largest(): MeteredRunner | undefined {
    let largest: MeteredRunner | undefined;
    let mostBytes = -1;
    for (const [runner, { usage }] of this.#runners)
      if (usage.memoryBytes > mostBytes) {
        largest = runner;
        mostBytes = usage.memoryBytes;
      }
    return largest;
  }

  #reached(name: QuotaName, used: number): Quota | undefined {
    const value = this.#identity.quotas[name];
    return value !== undefined && used >= value ? this.#quota(name, value) : undefined;
  }

  #quota(name: QuotaName, value: number): Quota {
    return { name, value, identity: describeIdentity(this.#identity) };
  }
}

/** The accounts of those who have sessions, or have used CPU time in the last hour. */
export class Accounts {
  readonly #nowMs: () => number;
  readonly #byIdentity = new Map<string, Account>();

  constructor(nowMs: () => number = monotonicMs) {
    this.#nowMs = nowMs;
  }

  /** The account of an identity, with the quotas that this says. */
  of(identity: Identity): Account {
    const key = `${identity.kind} ${identity.name}`;
    let account = this.#byIdentity.get(key);
    if (account) account.setQuotas(identity.quotas);
    else {
      for (const [idle, { isIdle }] of this.#byIdentity) if (isIdle) this.#byIdentity.delete(idle);
      account = new Account(identity, this.#nowMs);
      this.#byIdentity.set(key, account);
    }
    return account;
  }

  [Symbol.iterator](): IterableIterator<Account> {
    return this.#byIdentity.values();
  }
}

function quotaExceeded(quota: Quota): RequestError {
  return new RequestError('QUOTA_EXCEEDED', `${describeQuota(quota)} is used up`, quota);
}
