import type { Guard } from './guard.js';
import { InputPipe } from './input-pipe.js';
import { OutputPipe } from './output-pipe.js';
import type { LaneTurns } from './turns.js';

/** Where a runner's output goes. */
export interface RunnerPipesOptions {
  readonly guard: Guard;
  readonly write: (stream: 'stdout' | 'stderr', content: Uint8Array) => void;
  /** True while output should wait in the pipes. */
  readonly isCongested: () => boolean;
}

/** What a runner writes and a program reads. */
export class RunnerPipes {
  readonly input: InputPipe;
  readonly #outputs: OutputPipe[] = [];

  /** @throws {LibcError} and then no descriptor is left. */
  constructor({ guard, write, isCongested }: RunnerPipesOptions) {
    this.input = new InputPipe(guard);
    try {
      for (const stream of ['stdout', 'stderr'] as const)
        this.#outputs.push(
          new OutputPipe(guard, { write: (content) => write(stream, content), isCongested }),
        );
    } catch (error) {
      this.closeRunnerEnds();
      this.close(guard);
      throw error;
    }
  }

  /** Descriptors for the runner, until `closeRunnerEnds`. */
  get runnerFds(): {
    readonly stdout: number | undefined;
    readonly stderr: number | undefined;
    readonly input: number;
  } {
    const [stdout, stderr] = this.#outputs;
    return { stdout: stdout?.writeFd, stderr: stderr?.writeFd, input: this.input.readFd };
  }

  /** The host's copies. */
  closeRunnerEnds(): void {
    for (const output of this.#outputs) output.closeWriteEnd();
    this.input.closeReadEnd();
  }

  /** Delivers all output that the runner has written up to now. */
  drainOutput(): void {
    for (const output of this.#outputs) output.drain();
  }

  /** From now on output is read in these turns. */
  share(turns: LaneTurns): void {
    for (const output of this.#outputs) output.share(turns);
  }

  /** Delivers the last output and closes the host's ends, each whatever becomes of the others. */
  close(guard: Guard): void {
    for (const pipe of [...this.#outputs, this.input]) guard.attempt('runner.end', () => pipe.close());
  }
}
