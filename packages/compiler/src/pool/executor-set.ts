import { throwIfAborted, untilAborted } from '../core/aborting.js';
import { SessionClosedError } from '../core/errors.js';
import { checkAddress } from '../executor-client/connect.js';
import { ConnectError } from '../executor-client/connect-errors.js';
import type { JIT } from '../jit/jit.js';
import { type Endpoint, endpointsOf, hostnameOf, type Resolve, resolveAll } from './addresses.js';
import { allEnded } from './all-ended.js';
import type { PoolExecutor } from './pool-executor.js';
import { type ExecutorChange, type ExecutorPoolOptions, NoExecutorError } from './pool-types.js';

const REFRESH_MS = 10_000;
const WAIT_MS = 60_000;
/** When one executor is there, how long the others are waited for before a pool is handed out. */
const LATECOMER_MS = 2000;
/** What an error says when its caller's signal was aborted. */
const NOT_WAITED = 'waiting for an executor was given up';

/** What a set needs to know of its pool. */
export interface ExecutorSetHost<Session extends JIT> {
  readonly options: Pick<ExecutorPoolOptions, 'resolve' | 'refreshMs' | 'waitMs'>;
  /** Makes an executor, which tells `noteChanged`. */
  create(endpoint: Endpoint): PoolExecutor<Session>;
  /** An executor can be given work. */
  connected(): void;
  /** Something has become of an executor, or of a URL that leads to none. */
  changed(change: ExecutorChange): void;
}

/** A pool's executors: who there are, who joins and who leaves, and who is connected. */
export class ExecutorSet<Session extends JIT> {
  readonly #host: ExecutorSetHost<Session>;
  readonly #resolve: Resolve;
  readonly #waitMs: number;
  readonly #executors = new Map<string, PoolExecutor<Session>>();
  /** How often each URL has been given. */
  readonly #counts = new Map<string, number>();
  readonly #refreshTimer: NodeJS.Timeout;
  /** Called when anything changes. */
  readonly #watchers = new Set<() => void>();
  #refreshing: Promise<void> | undefined;
  #isClosed = false;

  constructor(host: ExecutorSetHost<Session>) {
    const { resolve = resolveAll, waitMs = WAIT_MS, refreshMs = REFRESH_MS } = host.options;
    this.#host = host;
    this.#resolve = resolve;
    this.#waitMs = waitMs;
    this.#refreshTimer = setInterval(() => void this.refresh(), refreshMs).unref();
  }

  /** @throws {SessionClosedError} when it was closed. */
  refuseClosed(): void {
    if (this.#isClosed) throw closedError();
  }

  get size(): number {
    return this.#executors.size;
  }

  values(): IterableIterator<PoolExecutor<Session>> {
    return this.#executors.values();
  }

  get connected(): PoolExecutor<Session>[] {
    return [...this.#executors.values()].filter(({ isConnected }) => isConnected);
  }

  /**
   * Adds all at once. Resolves when each has been tried, or somewhat after one is connected.
   * @throws {ConnectError} when none is.
   */
  async addFirst(urls: readonly string[]): Promise<void> {
    if (urls.length === 0) throw new ConnectError('no executor is given; name at least one');
    for (const url of urls) checkUrl(url);
    const errors: unknown[] = [];
    const attempts = urls.map((url) =>
      this.#add(url).catch((error: Error) => {
        // A name without an address may get one.
        errors.push(error);
        this.#host.changed({ url, address: undefined, state: 'lost', error });
      }),
    );
    let timer: NodeJS.Timeout | undefined;
    const patience = this.#until(() => this.connected.length > 0).then(
      () =>
        new Promise<void>((resolve) => {
          timer = setTimeout(resolve, LATECOMER_MS);
        }),
    );
    await Promise.race([Promise.all(attempts), patience]);
    clearTimeout(timer);
    if (this.connected.length > 0) return;
    for (const { error } of this.#executors.values()) if (error) errors.push(error);
    if (errors.length === 1) throw errors[0];
    const words = errors.map((error) => (error instanceof Error ? error.message : String(error)));
    throw new ConnectError(`no executor can be used:\n  ${words.join('\n  ')}`, { cause: errors[0] });
  }

  /** See `JITPool.add`. */
  async add(url: string): Promise<void> {
    this.refuseClosed();
    checkUrl(url);
    try {
      await this.#add(url);
    } catch (error) {
      this.#counts.set(url, (this.#counts.get(url) ?? 1) - 1);
      throw error;
    }
  }

  /** See `JITPool.remove`. */
  async remove(url: string): Promise<void> {
    this.#counts.delete(url);
    const removed = [...this.#executors].filter(([, { endpoint }]) => endpoint.url === url);
    for (const [key] of removed) this.#executors.delete(key);
    await allEnded(removed.map(([, executor]) => executor.close()));
  }

  /** See `JITPool.refresh`. */
  refresh(): Promise<void> {
    this.#refreshing ??= this.#refresh().finally(() => {
      this.#refreshing = undefined;
    });
    return this.#refreshing;
  }

  /** The state of an executor, or the reason for it, has changed. */
  noteChanged(executor: PoolExecutor<Session>): void {
    const { state, error, endpoint } = executor;
    if (state === 'removed')
      for (const [key, one] of this.#executors) if (one === executor) this.#executors.delete(key);
    if (state === 'lost') void this.refresh();
    const { url, address } = endpoint;
    this.#host.changed({ url, address: address?.address, state, error });
    for (const watch of [...this.#watchers]) watch();
    if (state === 'connected') this.#host.connected();
  }

  /**
   * At least one that is connected, waited for if need be.
   * @throws {NoExecutorError | SessionClosedError | AbortError}
   */
  async someConnected(signal: AbortSignal | undefined): Promise<PoolExecutor<Session>[]> {
    throwIfAborted(signal, NOT_WAITED);
    if (this.connected.length === 0) {
      const isLate = new AbortController();
      const timer = setTimeout(() => isLate.abort(), this.#waitMs);
      const isThere = () => this.connected.length > 0;
      try {
        await untilAborted(signal, NOT_WAITED, () => this.#until(isThere, isLate.signal));
      } finally {
        clearTimeout(timer);
        // Whoever was given up watches no longer.
        isLate.abort();
      }
    }
    this.refuseClosed();
    if (this.connected.length === 0) throw this.#noExecutor();
    return this.connected;
  }

  /** Does work that `giveUp` ends when the set is closed, or nobody has been connected for too long. */
  async whileSomebodyIsThere<T>(giveUp: (error: Error) => void, work: () => Promise<T>): Promise<T> {
    let timer: NodeJS.Timeout | undefined;
    const watch = () => {
      if (this.#isClosed) return giveUp(closedError());
      if (this.connected.length > 0) {
        clearTimeout(timer);
        timer = undefined;
      } else timer ??= setTimeout(() => giveUp(this.#noExecutor()), this.#waitMs);
    };
    this.#watchers.add(watch);
    try {
      watch();
      return await work();
    } finally {
      clearTimeout(timer);
      this.#watchers.delete(watch);
    }
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    clearInterval(this.#refreshTimer);
    for (const watch of [...this.#watchers]) watch();
    await allEnded([...this.#executors.values()].map((executor) => executor.close()));
  }

  /** Resolves when it is so, or the set closed, or the signal aborted. */
  #until(isSo: () => boolean, signal?: AbortSignal): Promise<void> {
    return new Promise((resolve) => {
      const watch = () => {
        if (!isSo() && !this.#isClosed && !signal?.aborted) return;
        this.#watchers.delete(watch);
        resolve();
      };
      this.#watchers.add(watch);
      signal?.addEventListener('abort', watch, { once: true });
      watch();
    });
  }

  async #add(url: string): Promise<void> {
    const ordinal = (this.#counts.get(url) ?? 0) + 1;
    this.#counts.set(url, ordinal);
    const endpoints = await endpointsOf(url, this.#resolve).catch((cause: unknown) => {
      const words = cause instanceof Error ? cause.message : String(cause);
      throw new ConnectError(`cannot look up ${url}: ${words}`, { cause });
    });
    await Promise.all(endpoints.map((endpoint) => this.#start(endpoint, ordinal)));
  }

  /** @param ordinal the executor is the first, second, … at this place. */
  async #start(endpoint: Endpoint, ordinal: number): Promise<void> {
    const key = keyOf(endpoint, ordinal);
    if (this.#executors.has(key) || this.#isClosed) return;
    const executor = this.#host.create(endpoint);
    this.#executors.set(key, executor);
    await executor.start();
  }

  async #refresh(): Promise<void> {
    for (const url of this.#counts.keys()) {
      if (hostnameOf(url) === undefined) continue;
      let endpoints: Endpoint[];
      try {
        endpoints = await endpointsOf(url, this.#resolve);
      } catch {
        // What is known may still be right.
        continue;
      }
      if (!this.#isClosed) this.#update(url, endpoints);
    }
  }

  #update(url: string, endpoints: readonly Endpoint[]): void {
    const ordinals = Array.from({ length: this.#counts.get(url) ?? 0 }, (_, index) => index + 1);
    const keys = new Set(ordinals.flatMap((ordinal) => endpoints.map((one) => keyOf(one, ordinal))));
    for (const [key, executor] of this.#executors) {
      if (executor.endpoint.url !== url) continue;
      executor.isRetired = !keys.has(key);
      if (!executor.isRetired || executor.session) continue;
      this.#executors.delete(key);
      void executor.close();
    }
    for (const ordinal of ordinals) for (const endpoint of endpoints) void this.#start(endpoint, ordinal);
  }

  #noExecutor(): NoExecutorError {
    const reasons = [...this.#executors.values()].map(
      ({ endpoint, error }) => `${endpoint.url}: ${error?.message ?? 'not connected'}`,
    );
    return new NoExecutorError(`no executor is connected (${reasons.join('; ') || 'there is none'})`);
  }
}

/** The one with the least to do, of at least one. */
export function idlestOf<Session extends JIT>(
  executors: readonly PoolExecutor<Session>[],
): PoolExecutor<Session> {
  return executors.reduce((idlest, executor) =>
    executor.inFlightCount < idlest.inFlightCount ? executor : idlest,
  );
}

function keyOf({ url, address }: Endpoint, ordinal: number): string {
  return `${ordinal} ${url} ${address?.address ?? ''}`;
}

function checkUrl(url: string): void {
  if (url !== 'local') checkAddress(url);
}

function closedError(): SessionClosedError {
  return new SessionClosedError('the pool was closed');
}
