import { FarJITError } from '@farjit/protocol/errors';

/** Data that cannot be read or does not fit. The message begins with the file's name, line and column where there are any. */
export class DataFileError extends FarJITError {
  constructor(message: string, options?: ErrorOptions) {
    super('DATA_UNREADABLE', message, options);
  }
}

/** What a file holds for a function's parameters. */
export interface MapInput {
  /** One per parameter. */
  readonly columns: Float64Array[];
  /** Whether it names its columns, so that results should have a name too. */
  readonly hasHeader: boolean;
}
