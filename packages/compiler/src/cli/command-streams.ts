import { type Colors, colorReport, colorsFor } from './colors.js';
import { doubleJSON, doubleText, printfDouble } from './double-text.js';
import { OutputWriter } from './output-writer.js';
import { type Report, type ReportLevel, reportJSON, reportText } from './report.js';
import { StopRequest } from './stop-request.js';

/** How a command writes what is its own, and not its program's. */
export interface OutputForm {
  /** Each value and each report is a line of JSON. */
  readonly json?: boolean | undefined;
  /** A value is a number alone, as short as it can be read back exactly. */
  readonly bareValues?: boolean | undefined;
}

/** Standard output and error of a command. */
export class CommandStreams {
  readonly out: OutputWriter;
  readonly err: OutputWriter;
  readonly outColors: Colors;
  readonly json: boolean;
  readonly #errColors: Colors;
  readonly #bareValues: boolean;

  /** @param onFailure called when standard output cannot be written to; standard error has nobody left to tell. */
  constructor(
    onFailure: (request: StopRequest) => void,
    { json = false, bareValues = false }: OutputForm = {},
  ) {
    this.out = new OutputWriter(process.stdout, (error) => onFailure(StopRequest.ofOutputFailure(error)));
    this.err = new OutputWriter(process.stderr, () => {});
    this.outColors = colorsFor(process.stdout);
    this.json = json;
    this.#errColors = colorsFor(process.stderr);
    this.#bareValues = bareValues;
  }

  /** Writes what an expression has come to. */
  value(value: number): Promise<void> | undefined {
    return this.out.write(`${this.#valueText(value)}\n`);
  }

  #valueText(value: number): string {
    if (this.json) return `{"value":${doubleJSON(value)}}`;
    return this.#bareValues ? doubleText(value) : `Evaluated to ${printfDouble(value)}`;
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
