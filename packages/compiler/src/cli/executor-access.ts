import { FarJITError } from '@farjit/protocol/errors';
import { readTrustedFile, UntrustedFileError } from '@farjit/protocol/file-trust';
import type { ConnectOptions } from '../executor-client/connect.js';
import { systemErrorWords } from '../files/system-error.js';

/** Options of commands that say who they are to an executor elsewhere. Files are PEM, except for the token's. */
export interface AccessOptions {
  readonly tokenFile?: string;
  readonly tlsCa?: string;
  readonly tlsCert?: string;
  readonly tlsKey?: string;
  /** Id of the user who listens on a Unix socket. */
  readonly executorOwner?: number;
}

/** What they come to. */
export type Access = Pick<ConnectOptions, 'token' | 'tls' | 'socketOwner'>;

/**
 * A token, a certificate or a key that is not there, or holds nothing or too much.
 * @remarks Name a file that can be read.
 */
export class AccessFileError extends FarJITError {
  constructor(message: string, options?: ErrorOptions) {
    super('ACCESS_FILE', message, options);
  }
}

/**
 * Reads the token, which is in a file or in FARJIT_TOKEN, and what `wss://` needs.
 * @throws {AccessFileError} that names the file.
 */
export function readAccess(
  { tokenFile, tlsCa, tlsCert, tlsKey, executorOwner }: AccessOptions,
  variables: NodeJS.ProcessEnv,
): Access {
  const token =
    tokenFile === undefined
      ? oneLine(variables.FARJIT_TOKEN?.trim(), 'FARJIT_TOKEN')
      : read('token', tokenFile);
  const tls = {
    ...(tlsCa === undefined ? {} : { ca: read('CA', tlsCa) }),
    ...(tlsCert === undefined ? {} : { cert: read('certificate', tlsCert) }),
    ...(tlsKey === undefined ? {} : { key: read('key', tlsKey) }),
  };
  return {
    ...(token ? { token } : {}),
    ...(Object.keys(tls).length > 0 ? { tls } : {}),
    ...(executorOwner === undefined ? {} : { socketOwner: executorOwner }),
  };
}

function read(what: string, path: string): string {
  let text: string;
  try {
    text = readTrustedFile(path).trim();
  } catch (cause) {
    if (cause instanceof UntrustedFileError)
      throw new AccessFileError(`cannot use the ${what} in ${path}: it ${cause.problem}`, { cause });
    throw new AccessFileError(`cannot read the ${what} in ${path}: ${systemErrorWords(cause)}`, { cause });
  }
  if (text === '') throw new AccessFileError(`the ${what} in ${path} is empty`);
  return what === 'token' ? oneLine(text, path) : text;
}

/** @param source where a token is from. */
function oneLine<Text extends string | undefined>(text: Text, source: string): Text {
  if (text !== undefined && /[\r\n]/.test(text))
    throw new AccessFileError(`${source} holds more than a token: it must be the token alone, in one line`);
  return text;
}
