import { FarJITError } from '@farjit/protocol/errors';

/** A place in a file of data, from 1. */
export interface DataPlace {
  readonly file: string;
  readonly line: number;
  readonly column: number;
}

/**
 * Data that cannot be read or does not fit.
 * @remarks Mend the data where the message says.
 */
export class DataFileError extends FarJITError {
  /** Where it does not, if it is somewhere. */
  readonly place: DataPlace | undefined;
  /** The message without the place. */
  readonly words: string;

  constructor(words: string, { place, ...options }: ErrorOptions & { readonly place?: DataPlace } = {}) {
    super(
      'DATA_UNREADABLE',
      place ? `${place.file}:${place.line}:${place.column}: error: ${words}` : words,
      options,
    );
    this.place = place;
    this.words = words;
  }
}

/** What a file holds for a function's parameters. */
export interface MapInput {
  /** One per parameter. */
  readonly columns: Float64Array[];
  /** Whether it names its columns, so that results should have a name too. */
  readonly hasHeader: boolean;
}
