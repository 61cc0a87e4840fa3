import { type SourcePosition, SourceText } from '../frontends/kaleidoscope/source-text.js';

/** One input of a REPL: its lines are numbered on from the inputs before it. */
export class InputText extends SourceText {
  readonly #linesBefore: number;

  constructor(name: string, text: string, linesBefore: number) {
    super(name, text);
    this.#linesBefore = linesBefore;
  }

  override positionAt(offset: number): SourcePosition {
    const { line, column } = super.positionAt(offset);
    return { line: line + this.#linesBefore, column };
  }
}
