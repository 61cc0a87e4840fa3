import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { executorCommand } from './contenders.js';

/** An executor that serves compilers until it is stopped, as one would run it on another machine. */
export class RunningExecutor {
  readonly #child: ChildProcess;
  /** Where it listens, with the port that it took. */
  readonly url: string;

  private constructor(child: ChildProcess, url: string) {
    this.#child = child;
    this.url = url;
  }

  /**
   * Starts one, and waits until it listens.
   * @param options.token where it listens on a port.
   * @throws {Error} when it ends instead.
   */
  static async listen(
    url: string,
    { args = [], token }: { readonly args?: readonly string[]; readonly token?: string } = {},
  ): Promise<RunningExecutor> {
    const { program, args: all } = executorCommand('--listen', url, '--log-format=pretty', ...args);
    const env = { ...process.env, ...(token === undefined ? {} : { FARJIT_TOKEN: token }) };
    // It does not outlive a benchmark that is killed.
    const mortal = ['--pdeathsig', 'KILL', program, ...all];
    const child = spawn('setpriv', mortal, { stdio: ['ignore', 'ignore', 'pipe'], env });
    const said: string[] = [];
    // Also read later, so that it can always write.
    const lines = createInterface({ input: child.stderr });
    const listening = await new Promise<string>((resolve, reject) => {
      lines.on('line', (line) => {
        said.push(line);
        const [, where] = /listening on (\S+)/.exec(line) ?? [];
        if (where !== undefined) resolve(where);
      });
      child.on('error', reject);
      child.on('exit', () => reject(new Error(`farjit-executor ended: ${said.join('\n')}`)));
    });
    return new RunningExecutor(child, listening);
  }

  get processId(): number {
    return this.#child.pid ?? 0;
  }

  async stop(): Promise<void> {
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) return;
    this.#child.kill('SIGTERM');
    await once(this.#child, 'exit');
  }
}
