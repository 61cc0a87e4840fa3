import { FarJITError } from '@farjit/protocol/errors';

/** One thing that clang has to say about a source. */
export interface CDiagnostic {
  /** As the source is called, or a header. */
  readonly file: string;
  /** From 1. */
  readonly line: number;
  /** From 1, in bytes; undefined where clang names a line only. */
  readonly column: number | undefined;
  readonly severity: 'fatal error' | 'error' | 'warning' | 'note' | 'remark';
  readonly message: string;
}

/**
 * There is no C compiler that can be used, or it failed over something else than the source.
 * @remarks Install the clang that the message names, or give the path of one as `cc`.
 */
export class CCompilerError extends FarJITError {
  constructor(message: string, options?: ErrorOptions) {
    super('C_COMPILER', message, options);
  }
}

/**
 * A C or C++ source, or assembly, that clang refuses. The message is clang's own, with lines and carets.
 * @remarks Mend the source where `diagnostics` say.
 */
export class CSourceError extends FarJITError {
  /** The name under which the source was handed in. */
  readonly file: string;
  readonly diagnostics: readonly CDiagnostic[];

  /** @param words what clang has written. */
  constructor(file: string, words: string, diagnostics: readonly CDiagnostic[]) {
    super('C_SOURCE', words);
    this.file = file;
    this.diagnostics = diagnostics;
  }
}

const LINE = /^(.+?):(\d+):(?:(\d+):)? (fatal error|error|warning|note|remark): (.*)$/;

/** What clang says, line by line: `FILE:LINE:COLUMN: error: WORDS`. Lines of the source and carets say nothing more. */
export function parseDiagnostics(words: string): CDiagnostic[] {
  return words.split('\n').flatMap((text): CDiagnostic[] => {
    const [, file, line, column, severity, message] = LINE.exec(text) ?? [];
    if (file === undefined || message === undefined) return [];
    return [
      {
        file,
        line: Number(line),
        column: column === undefined ? undefined : Number(column),
        severity: severity as CDiagnostic['severity'],
        message,
      },
    ];
  });
}
