import {
  encodeFirstRequest,
  FEATURE_NAMES,
  type ParamsOf,
  PROTOCOL_VERSIONS,
  session,
} from '@farjit/protocol';
import { RemoteError } from '@farjit/protocol/errors';

export const CLIENT_NAME = 'farjit/0.1.0';

/** Stubs of a session's first block, which come with the runner. */
export const FIRST_STUBS = 512;

/** How a session is asked for. */
export function openingParams(libraries: readonly string[]): ParamsOf<typeof session.openSession> {
  return {
    versions: [PROTOCOL_VERSIONS.oldest, PROTOCOL_VERSIONS.newest],
    features: FEATURE_NAMES,
    client: CLIENT_NAME,
    runner: { stubCount: FIRST_STUBS, libraries: [...libraries] },
  };
}

/** The frame that it is asked for with, for an upgrade to bring: what `openOver` sends first. */
export function openingFrame(libraries: readonly string[]): Uint8Array {
  return encodeFirstRequest(session.openSession, openingParams(libraries));
}

/** What to say of a session that could not be opened. */
export function openingError(error: unknown): unknown {
  if (!isOfBefore(error)) return error;
  return new RemoteError(
    'VERSION_MISMATCH',
    'the executor is of an earlier release, and does not understand how this one opens a session: ' +
      'use releases of FarJIT that go together',
  );
}

/** Executors before version 2 of the protocol refuse fields that they do not know, and name the request. */
function isOfBefore(error: unknown): boolean {
  const { method } = session.openSession;
  return (
    error instanceof RemoteError && error.code === 'INVALID_PARAMS' && error.message.startsWith(`${method}: `)
  );
}
