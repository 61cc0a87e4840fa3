import type * as today from '@farjit/protocol';
import type { RemoteError, RequestError } from '@farjit/protocol/errors';
import { createHostResources, Session } from '#executor/src/index.js';

/** What a frozen copy of the protocol has; see scripts/freeze-protocol.mjs. */
type Frozen = Pick<
  typeof today,
  | 'Connection'
  | 'commonFeatures'
  | 'createMemoryTransportPair'
  | 'FEATURE_NAMES'
  | 'indirection'
  | 'MESSAGES'
  | 'memory'
  | 'PROTOCOL_VERSIONS'
  | 'run'
  | 'session'
  | 'symbols'
> & { readonly RemoteError: typeof RemoteError; readonly RequestError: typeof RequestError };

/** Version 2 as it was when it was complete. */
export const version2 = (await import(new URL('../frozen/protocol-2.mjs', import.meta.url).href)) as Frozen;

type Connection = InstanceType<Frozen['Connection']>;

/**
 * An executor of version 2: a relay that understands and says what the frozen copy declares and nothing else, with an
 * executor of today behind it, which it speaks version 2 to.
 * @param hasFeature which of the features it is to have.
 * @returns the compiler's end, and what the compiler has said.
 */
export function startVersion2Executor(hasFeature: (name: string) => boolean = () => true) {
  const { Connection, createMemoryTransportPair, MESSAGES, commonFeatures, session } = version2;
  const [compilersEnd, near] = createMemoryTransportPair();
  const [far, hostsEnd] = createMemoryTransportPair();
  const hosted = new Session({ host: createHostResources(), transport: hostsEnd });
  const heard: string[] = [];
  const toCompiler = new Connection(near);
  const toHost = new Connection(far);
  const [down, up] = [
    { direction: 'compiler-to-executor', from: toCompiler, to: toHost },
    { direction: 'executor-to-compiler', from: toHost, to: toCompiler },
  ] as const;
  for (const { direction, from, to } of [down, up])
    for (const message of MESSAGES.filter((candidate) => candidate.direction === direction)) {
      if (message.kind === 'notification')
        from.onNotification(message, (params, generation) => {
          heard.push(message.method);
          to.notify(message, params, generation);
        });
      else if (message.method !== session.openSession.method)
        from.handle(message, (params, { generation, deadlineMs, signal }) => {
          heard.push(message.method);
          return forward(
            to.request(message, params, { generation, deadlineMs: deadlineMs ?? undefined, signal }),
          );
        });
    }
  toCompiler.handle(session.openSession, async (params) => {
    heard.push(session.openSession.method);
    const opened = await forward(
      toHost.request(session.openSession, { ...params, features: params.features.filter(hasFeature) }),
    );
    const features = commonFeatures(opened.features);
    toHost.agree(features, opened.server);
    toCompiler.agree(features, params.client);
    return { ...opened, features };
  });
  void toCompiler.closed.then(() => toHost.close());
  void toHost.closed.then(() => toCompiler.close());
  toCompiler.start();
  toHost.start();
  return { transport: compilersEnd, heard, ended: hosted.ended };
}

/** An error of the other side is answered as it is. */
async function forward<T>(answer: Promise<T>): Promise<T> {
  try {
    return await answer;
  } catch (error) {
    if (!(error instanceof version2.RemoteError)) throw error;
    throw new version2.RequestError(
      error.code as RequestError['code'] & 'INTERNAL',
      error.message,
      error.data,
    );
  }
}

/** A compiler of version 2: a connection to a session of an executor of today. */
export function connectVersion2Compiler(): { connection: Connection; ended: Promise<void> } {
  const [near, far] = version2.createMemoryTransportPair();
  const hosted = new Session({ host: createHostResources(), transport: far });
  return { connection: new version2.Connection(near), ended: hosted.ended };
}
