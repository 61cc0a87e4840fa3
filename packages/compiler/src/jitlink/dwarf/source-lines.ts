/** A line of a source. */
export interface SourcePlace {
  /** As the compiler was told of it. */
  readonly file: string;
  readonly line: number;
}

/** The lines of one function: rows of offset, file and line, one after the other, by offset. */
export interface FunctionLines {
  readonly sizeBytes: number;
  readonly rows: readonly number[];
}

/** Numbers of a row. */
export const ROW_LENGTH = 3;

/** Which lines of which sources the functions of an object come from, where its compiler has said it. */
export class SourceLines {
  readonly #files: readonly string[];
  readonly #functions: ReadonlyMap<string, FunctionLines>;

  /** @param functions by name; files are numbers in `files`. */
  constructor(files: readonly string[], functions: ReadonlyMap<string, FunctionLines>) {
    this.#files = files;
    this.#functions = functions;
  }

  /** @throws {SyntaxError} for what `encode` has not made. */
  static decode(content: Uint8Array): SourceLines {
    const { files, functions } = JSON.parse(Buffer.from(content).toString('utf8')) as Encoded;
    return new SourceLines(files, new Map(functions));
  }

  encode(): Uint8Array {
    const encoded: Encoded = { files: this.#files, functions: [...this.#functions] };
    return Buffer.from(JSON.stringify(encoded));
  }

  /**
   * The line at an offset of a function; undefined where none is known.
   * @param sizeBytes of the function: another one of its name has other lines.
   */
  find(name: string, offsetBytes: number, sizeBytes: number): SourcePlace | undefined {
    const known = this.#functions.get(name);
    if (known?.sizeBytes !== sizeBytes) return undefined;
    const { rows } = known;
    let found: SourcePlace | undefined;
    for (let at = 0; at < rows.length && (rows[at] ?? 0) <= offsetBytes; at += ROW_LENGTH) {
      const [file, line = 0] = [this.#files[rows[at + 1] ?? -1], rows[at + 2]];
      // Line 0 is code that no line stands for.
      found = file === undefined || line === 0 ? undefined : { file, line };
    }
    return found;
  }
}

interface Encoded {
  readonly files: readonly string[];
  readonly functions: readonly (readonly [string, FunctionLines])[];
}
