import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { executorCommand } from './contenders.js';

/** An executor that serves compilers until it is stopped, as one would run it on another machine. */
export class RunningExecutor {
  readonly #child: ChildProcess;
  readonly #socketPath: string;

  private constructor(child: ChildProcess, socketPath: string) {
    this.#child = child;
    this.#socketPath = socketPath;
  }

  /**
   * Starts one, and waits until it listens.
   * @throws {Error} when it ends instead.
   */
  static async start(socketPath: string): Promise<RunningExecutor> {
    const { program, args } = executorCommand('--listen', `ws+unix:${socketPath}`);
    const child = spawn(program, args, { stdio: ['ignore', 'ignore', 'pipe'] });
    const said: string[] = [];
    // Also read later, so that it can always write.
    const lines = createInterface({ input: child.stderr });
    await new Promise<void>((resolve, reject) => {
      lines.on('line', (line) => {
        said.push(line);
        if (line.includes('listening on')) resolve();
      });
      child.on('error', reject);
      child.on('exit', () => reject(new Error(`farjit-executor ended: ${said.join('\n')}`)));
    });
    return new RunningExecutor(child, socketPath);
  }

  get socketPath(): string {
    return this.#socketPath;
  }

  get url(): string {
    return `ws+unix:${this.#socketPath}`;
  }

  async stop(): Promise<void> {
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) return;
    this.#child.kill('SIGTERM');
    await once(this.#child, 'exit');
  }
}
