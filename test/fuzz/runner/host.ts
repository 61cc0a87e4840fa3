import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { spawnMortal } from '#executor/test/mortal-process.js';
import { Violation } from '../target.js';
import type { HostFigures } from './host-main.js';
import type { SourceMutation } from './mutate-sources.js';

const START_TIMEOUT_MS = 30_000;
/** A host that is asked what it holds answers between two of its events. */
const ANSWER_TIMEOUT_MS = 10_000;
/** From a process's last sign of life to its end. */
const END_MS = 1000;
/** What it has said last is enough to tell why it ended. */
const MAX_WORDS = 8 * 1024;

/** An executor, in a process of its own, with what one looks at from outside. */
export class FuzzedHost {
  readonly url: string;
  readonly #child: ChildProcess;
  readonly #folder: string;
  #words = '';

  private constructor(child: ChildProcess, folder: string) {
    this.#child = child;
    this.#folder = folder;
    this.url = `ws+unix:${join(folder, 'executor')}`;
    child.stderr?.on('data', (chunk: Buffer) => {
      this.#words = (this.#words + chunk.toString()).slice(-MAX_WORDS);
    });
  }

  /**
   * @param options of `farjit-executor`.
   * @param mutations faults that are put back into it.
   */
  static async start(
    options: readonly string[],
    mutations: readonly SourceMutation[] = [],
  ): Promise<FuzzedHost> {
    const folder = mkdtempSync(join(tmpdir(), 'farjit-fuzz-'));
    const script = fileURLToPath(new URL('./host-main.js', import.meta.url));
    const listen = ['--listen', `ws+unix:${join(folder, 'executor')}`];
    const child = spawnMortal(
      ['--expose-gc', script, JSON.stringify(mutations), ...listen, '--log-format', 'pretty', ...options],
      { stdio: ['ignore', 'ignore', 'pipe', 'ipc'] },
    );
    const host = new FuzzedHost(child, folder);
    const endMs = performance.now() + START_TIMEOUT_MS;
    while (!host.#words.includes('listening on ')) {
      if (host.end !== undefined || performance.now() > endMs) {
        await host.close();
        throw new Error(`no executor starts: ${host.words}`);
      }
      await delay(5);
    }
    return host;
  }

  get processId(): number {
    return this.#child.pid ?? 0;
  }

  /** How it ended; undefined while it lives. */
  get end(): string | undefined {
    const { exitCode, signalCode } = this.#child;
    if (exitCode === null && signalCode === null) return undefined;
    return signalCode ?? `exit code ${exitCode}`;
  }

  /** The same, when its connections say that it may have ended just now. */
  async endSoon(): Promise<string | undefined> {
    for (let endMs = performance.now() + END_MS; this.end === undefined && performance.now() < endMs; )
      await delay(5);
    return this.end;
  }

  /** What it has said last, on standard error. */
  get words(): string {
    return this.#words;
  }

  /** @param collect whether to collect garbage before, which takes milliseconds. */
  async figures(collect: boolean): Promise<HostFigures> {
    if (this.end !== undefined) throw new Violation(`the host has ended: ${this.end}\n${this.words}`);
    const answer = once(this.#child, 'message', { signal: AbortSignal.timeout(ANSWER_TIMEOUT_MS) });
    this.#child.send({ collect });
    try {
      const [figures] = (await answer) as [HostFigures];
      return figures;
    } catch (error) {
      throw new Violation('the host does not say what it holds', { cause: error });
    }
  }

  async close(): Promise<void> {
    if (this.end === undefined) {
      const ended = once(this.#child, 'exit');
      this.#child.kill('SIGKILL');
      await ended;
    }
    rmSync(this.#folder, { recursive: true, force: true });
  }
}
