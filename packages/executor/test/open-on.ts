import {
  type Connection,
  commonFeatures,
  FEATURE_NAMES,
  type ParamsOf,
  type ResultOf,
  session,
} from '@farjit/protocol';

/** What a runner is asked for, and a session. */
export const WANTED: ParamsOf<typeof session.startRunner> = { stubCount: 1, libraries: ['kaleidoscope'] };
export const OPEN: ParamsOf<typeof session.openSession> = {
  versions: [2, 2],
  features: FEATURE_NAMES,
  client: 'test',
  runner: WANTED,
};

/** Opens a session on a connection, as a compiler does. */
export async function openOn(
  connection: Connection,
  params = OPEN,
): Promise<ResultOf<typeof session.openSession>> {
  const onResult = ({ features, server }: ResultOf<typeof session.openSession>) =>
    connection.agree(commonFeatures(features), server);
  return connection.request(session.openSession, params, { onResult });
}
