import { type Colors, colorReport, colorsFor } from './colors.js';
import { doubleJSON, doubleText, printfDouble, shortestDecimal } from './double-text.js';
import { OutputWriter } from './output-writer.js';
import { type Report, type ReportLevel, reportJSON, reportText } from './report.js';
import { StopRequest } from './stop-request.js';

/**
 * How a value is written: `printf` as the tutorial's toy does it (`%f`), `shortest` the shortest decimal that reads back the same,
 * `bare` that number alone, as JavaScript writes it.
 */
export type ValueForm = 'printf' | 'shortest' | 'bare';

/** What users choose of them. */
export type PrintForm = Exclude<ValueForm, 'bare'>;

/** How a command writes what is its own, and not its program's. */
export interface OutputForm {
  /** Each value and each report is a line of JSON. */
  readonly json?: boolean | undefined;
  readonly values?: ValueForm | undefined;
}

/** Standard output and error of a command. */
export class CommandStreams {
  readonly out: OutputWriter;
  readonly err: OutputWriter;
  readonly outColors: Colors;
  readonly json: boolean;
  readonly #errColors: Colors;
  readonly #values: ValueForm;

  /** @param onFailure called when standard output cannot be written to; standard error has nobody left to tell. */
  constructor(
    onFailure: (request: StopRequest) => void,
    { json = false, values = 'printf' }: OutputForm = {},
  ) {
    this.out = new OutputWriter(process.stdout, (error) => onFailure(StopRequest.ofOutputFailure(error)));
    this.err = new OutputWriter(process.stderr, () => {});
    this.outColors = colorsFor(process.stdout);
    this.json = json;
    this.#errColors = colorsFor(process.stderr);
    this.#values = values;
  }

  /** Writes what an expression has come to. */
  value(value: number): Promise<void> | undefined {
    return this.out.write(`${this.#valueText(value)}\n`);
  }

  #valueText(value: number): string {
    if (this.json) return `{"value":${doubleJSON(value)}}`;
    if (this.#values === 'bare') return doubleText(value);
    return `Evaluated to ${this.#values === 'shortest' ? shortestDecimal(value) : printfDouble(value)}`;
  }

  /** Writes what the command has to say of what it does. */
  report(report: Report): Promise<void> | undefined {
    const text = this.json ? reportJSON(report) : colorReport(reportText(report), this.#errColors);
    return this.err.write(`${text}\n`);
  }

  /** Writes a remark of the command itself. */
  remark(level: ReportLevel, message: string): Promise<void> | undefined {
    return this.report({ level, message });
  }

  /** Says why the command ends before its work is done, if there is anything to say. */
  async stopped({ words, isBySignal }: StopRequest): Promise<void> {
    if (words !== undefined) await this.remark(isBySignal ? 'note' : 'error', words);
  }

  /** See `OutputWriter.stopWaiting`. */
  stopWaiting(): void {
    this.out.stopWaiting();
    this.err.stopWaiting();
  }
}
