import { FarJITError } from '@farjit/protocol/errors';

/**
 * Something that a caller gives is not what it can be. Nothing was done with it, and all else is as it was.
 * @remarks Give what the message says that can be given.
 */
export class ArgumentError extends FarJITError {
  constructor(message: string) {
    super('BAD_ARGUMENT', message);
  }
}
