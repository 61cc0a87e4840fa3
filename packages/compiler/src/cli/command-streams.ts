import { type Colors, colorReport, colorsFor } from './colors.js';
import { OutputWriter } from './output-writer.js';
import { StopRequest } from './stop-request.js';

/** Standard output and error of a command. */
export class CommandStreams {
  readonly out: OutputWriter;
  readonly err: OutputWriter;
  readonly outColors: Colors;
  readonly #errColors: Colors;

  /** @param onFailure called when standard output cannot be written to; standard error has nobody left to tell. */
  constructor(onFailure: (request: StopRequest) => void) {
    this.out = new OutputWriter(process.stdout, (error) => onFailure(StopRequest.ofOutputFailure(error)));
    this.err = new OutputWriter(process.stderr, () => {});
    this.outColors = colorsFor(process.stdout);
    this.#errColors = colorsFor(process.stderr);
  }

  /** Writes an error as `describe-error.ts` words it. */
  report(text: string): Promise<void> | undefined {
    return this.err.write(`${colorReport(text, this.#errColors)}\n`);
  }

  /** Writes a remark of the command itself. */
  remark(words: string): Promise<void> | undefined {
    return this.report(`farjit: ${words}`);
  }

  /** See `OutputWriter.stopWaiting`. */
  stopWaiting(): void {
    this.out.stopWaiting();
    this.err.stopWaiting();
  }
}
