import { FarJITError } from '@farjit/protocol/errors';

/**
 * A signature in words that says nothing.
 * @remarks Mend the words where `offset` says.
 */
export class SignatureError extends FarJITError {
  readonly text: string;
  /** Where in the text, from 0 on, in UTF-16 units. */
  readonly offset: number;

  constructor(text: string, offset: number, problem: string) {
    super(
      'BAD_SIGNATURE',
      `${problem}, at ${offset + 1} of the signature\n  ${text}\n  ${' '.repeat(offset)}^`,
    );
    this.text = text;
    this.offset = offset;
  }
}
