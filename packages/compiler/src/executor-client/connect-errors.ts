import { FarJITError } from '@farjit/protocol/errors';

/**
 * No executor answers at an address, or it refused the connection.
 * @remarks Check the address, the token and the certificates as the message says; where the executor is full, try later.
 */
export class ConnectError extends FarJITError {
  /** Of the HTTP answer, where the executor refused: 429 at a limit or quota, 503 when it is full. */
  readonly statusCode: number | undefined;
  /** The quota that would have been exceeded, as `sessions=8`. */
  readonly quota: string | undefined;

  constructor(
    message: string,
    options: ErrorOptions & {
      readonly statusCode?: number | undefined;
      readonly quota?: string | undefined;
    } = {},
  ) {
    const { statusCode, quota, ...errorOptions } = options;
    super('CONNECT_FAILED', message, errorOptions);
    this.statusCode = statusCode;
    this.quota = quota;
  }
}

/**
 * The executor does not let a lost session be resumed: it has ended, or the secret is not the right one.
 * @remarks Open another session.
 */
export class ResumeRefusedError extends FarJITError {
  constructor(message: string) {
    super('RESUME_REFUSED', message);
  }
}
