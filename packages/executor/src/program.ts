import { type ParamsOf, type ProgramEnd, parseValue, type ResultOf, run } from '@farjit/protocol';
import { RequestError } from '@farjit/protocol/errors';
import type { ExecutorAddr } from '@farjit/protocol/executor-addr';
import { describeRunnerEnd } from '@farjit/protocol/runner-end';
import type { InputTaken } from './input-pipe.js';
import type { ProcessUse } from './native/libc.js';
import { PROGRAM, PROGRAM_BYTES } from './native/shared-layout.js';
import type { RunnerProcess } from './runner-process.js';

export type ProgramParams = Omit<ParamsOf<typeof run.runProgram>, 'commit'>;

/** What is known of a program when it has ended by itself. */
export type ProgramAnswer = ResultOf<typeof run.runProgram>;

type ProgramRunner = Pick<RunnerProcess, 'hello' | 'input' | 'kill' | 'used'>;

/** What is told of a program while it runs, and when it has ended without an answer of its own. */
export interface ProgramEvents {
  readonly inputTaken: InputTaken;
  readonly used: (use: ProcessUse) => void;
}

/** The one program that a runner may run. */
export class Program {
  readonly #runner: ProgramRunner;
  readonly #events: ProgramEvents;
  #hasBegun = false;
  #isRunning = false;
  #hasToldEnd = false;

  constructor(runner: ProgramRunner, events: ProgramEvents) {
    this.#runner = runner;
    this.#events = events;
  }

  get hasBegun(): boolean {
    return this.#hasBegun;
  }

  /** Who has asked for it waits for the answer, and is told with it or before it what it has used. */
  get isRunning(): boolean {
    return this.#isRunning;
  }

  /** It was answered with its end. */
  get hasToldEnd(): boolean {
    return this.#hasToldEnd;
  }

  /**
   * Runs it to its end.
   * @param call calls an entry with a block, as `Calls.call`.
   * @throws {RequestError} as `Calls.call`, where it has not ended by itself: its runner ends in any case.
   */
  async run(
    params: ProgramParams,
    call: (entry: ExecutorAddr, block: Uint8Array) => Promise<unknown>,
  ): Promise<ProgramAnswer> {
    if (this.#hasBegun)
      throw new RequestError('METHOD_NOT_ALLOWED', 'runProgram: this runner has a program already');
    this.#hasBegun = true;
    this.#isRunning = true;
    const { hello, input } = this.#runner;
    if (params.input) input.writeAll(params.input);
    else if (params.hasInput) input.open(this.#events.inputTaken);
    else input.close();
    try {
      await call(hello.runProgram, blockOf(params));
    } catch (error) {
      const { used } = this.#runner;
      const end = ownEnd(error);
      if (end) {
        this.#hasToldEnd = true;
        return { end, ...(used && { used }) };
      }
      if (used) this.#events.used(used);
      // What was meant for it may be in its pipe already.
      this.#runner.kill({ kind: 'fault', message: 'the program did not run to its end' });
      throw error;
    } finally {
      this.#isRunning = false;
    }
    const end = { kind: 'fault', message: 'the program has returned, which none does' } as const;
    this.#runner.kill(end);
    throw new RequestError('RUNNER_LOST', `the runner is gone: ${describeRunnerEnd(end)}`, {
      end,
      own: true,
    });
  }

  /** What it is to read. @throws {ProtocolError} for more than a compiler may have sent. */
  write(content: Uint8Array, isLast: boolean): void {
    this.#runner.input.write(content, isLast);
  }
}

function blockOf({
  main,
  argumentCount,
  environment,
  hasInput,
  lineBuffered,
  ...params
}: ProgramParams): Uint8Array {
  const block = Buffer.alloc(PROGRAM_BYTES);
  block.writeBigUInt64LE(main, PROGRAM.main);
  block.writeBigUInt64LE(BigInt(argumentCount), PROGRAM.argumentCount);
  block.writeBigUInt64LE(params.arguments, PROGRAM.arguments);
  block.writeBigUInt64LE(environment, PROGRAM.environment);
  block.writeBigUInt64LE(hasInput ? 1n : 0n, PROGRAM.hasInput);
  block.writeBigUInt64LE(lineBuffered ? 1n : 0n, PROGRAM.lineBuffered);
  return block;
}

/** How the runner has ended, when that is an end that a program makes. */
function ownEnd(error: unknown): ProgramEnd | undefined {
  if (!(error instanceof RequestError) || error.code !== 'RUNNER_LOST') return undefined;
  const lost = parseValue(run.runnerLostData, error.data);
  const end = lost.success ? parseValue(run.programEnd, lost.output.end) : undefined;
  return end?.success ? end.output : undefined;
}
