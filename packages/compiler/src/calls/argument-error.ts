import { FarJITError } from '@farjit/protocol/errors';

/** Arguments do not fit the function's signature. */
export class ArgumentError extends FarJITError {
  constructor(message: string) {
    super('BAD_ARGUMENT', message);
  }
}
