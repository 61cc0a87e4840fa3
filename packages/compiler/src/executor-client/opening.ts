import {
  encodeFirstRequest,
  FEATURE_NAMES,
  type ParamsOf,
  PROTOCOL_VERSIONS,
  session,
} from '@farjit/protocol';

const CLIENT_NAME = 'farjit/0.1.0';

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

/** The frame that it is asked for with, for an upgrade to bring: what `ExecutorProcessControl.open` sends first. */
export function openingFrame(libraries: readonly string[]): Uint8Array {
  return encodeFirstRequest(session.openSession, openingParams(libraries));
}
