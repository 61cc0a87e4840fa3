import {
  Connection,
  commonFeatures,
  commonVersion,
  type ResultOf,
  session,
  type Transport,
} from '@farjit/protocol';
import { AbortError, ProtocolError } from '@farjit/protocol/errors';
import type { SandboxLevel } from '@farjit/protocol/sandbox';
import { AnswerDeadline } from './answer-deadline.js';
import { checkInfo, checkRunner, checkStubs } from './executor-checks.js';
import { ExecutorConduct } from './executor-conduct.js';
import { type ExecutorHandlers, handleExecutor } from './executor-handlers.js';
import { FIRST_STUBS, openingError, openingParams } from './opening.js';
import { SessionResumer } from './session-resumer.js';

/**
 * How long the host may take to answer what it does by itself. All of it takes milliseconds, starting a runner
 * included; a machine that is a thousand times slower than it should be is as good as gone.
 */
const ANSWER_TIMEOUT_MS = 30_000;
/** What a compiler asks of an executor besides a session. */
export interface OpenOptions {
  /**
   * How long the host may take to answer, 30 s unless given. One that takes longer loses the connection, and everything
   * that waits for it rejects.
   */
  readonly answerTimeoutMs?: number;
  /** The least confinement that code is sent to: `off` unless given. */
  readonly requireSandbox?: SandboxLevel;
  /** Runner-side libraries that code may link to, by name: none unless given. */
  readonly libraries?: readonly string[];
  /** Aborting gives up a session that is not open yet. */
  readonly signal?: AbortSignal | undefined;
}

/** A connection over which a session has been opened. */
export interface OpenedConnection {
  readonly connection: Connection;
  readonly conduct: ExecutorConduct;
  readonly deadline: AnswerDeadline;
  readonly options: Required<Omit<OpenOptions, 'signal'>>;
  readonly opened: ResultOf<typeof session.openSession>;
}

/**
 * Opens a session over a connected transport. The connection is closed when that fails, or `make` throws.
 * @throws as `ExecutorProcessControl.open`, {AbortError} when the signal is aborted, and what `make` throws.
 */
export async function openOver<T>(
  transport: Transport,
  handlers: ExecutorHandlers,
  { answerTimeoutMs = ANSWER_TIMEOUT_MS, requireSandbox = 'off', libraries = [], signal }: OpenOptions,
  make: (opened: OpenedConnection) => T,
): Promise<T> {
  const given = { answerTimeoutMs, requireSandbox, libraries };
  const connection: Connection = new Connection(transport, {
    onFrame: handlers.frame,
    // One that nobody closes and that does nothing is no reason to go on.
    letsExit: true,
    timeToLiveMs: transport.reopen ? session.MAX_TIME_TO_LIVE_MS : 0,
    onBroken: ({ reason }, mended) => {
      if (!isOpen)
        return connection.close(1006, reason || 'the connection was lost while the session opened');
      void deadline.pause(mended);
      handlers.connection({ type: 'connection-lost', reason, timeToLiveMs: connection.link.timeToLiveMs });
      void resumer.resume();
    },
  });
  const resumer = new SessionResumer(connection, transport, handlers.connection);
  let isOpen = false;
  const conduct = new ExecutorConduct();
  handleExecutor(connection, conduct, handlers);
  const deadline = new AnswerDeadline((method, timeoutMs) =>
    connection.close(1008, `no answer to ${method} within ${timeoutMs / 1000} s`),
  );
  const answered = deadline.expect(session.openSession.method, given.answerTimeoutMs);
  const givenUp = 'opening the session was given up';
  const giveUp = () => connection.close(1001, givenUp);
  signal?.addEventListener('abort', giveUp, { once: true });
  try {
    if (signal?.aborted) giveUp();
    const opening = connection.request(session.openSession, openingParams(given.libraries), {
      onResult: ({ version, features, server, info, runner }) => {
        if (commonVersion([version]) === undefined)
          throw new ProtocolError(`the executor chose protocol ${version}, which was not offered`);
        connection.agree(commonFeatures(features), `the executor (${server})`);
        checkInfo(info);
        checkStubs(checkRunner(runner, info), info, FIRST_STUBS);
        conduct.begin(runner.generation, runner.stubs, info.trampolineBytes);
      },
    });
    // The answer may be there already, where the request has gone with the upgrade.
    connection.start();
    const opened = await opening;
    // Shows that the answer to the upgrade has come, too: from then on the executor waits for who is lost.
    if (transport.reopen) setImmediate(() => connection.link.acknowledge());
    connection.link.timeToLiveMs = opened.timeToLiveMs;
    isOpen = true;
    return make({ connection, conduct, deadline, options: given, opened });
  } catch (error) {
    connection.close();
    throw signal?.aborted ? new AbortError(givenUp, signal.reason) : openingError(error);
  } finally {
    signal?.removeEventListener('abort', giveUp);
    answered();
  }
}
