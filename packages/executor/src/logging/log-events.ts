import { RateLimit, type RunnerEnd } from '@farjit/protocol';
import { formatAddr } from '@farjit/protocol/executor-addr';
import { describeLimit } from '@farjit/protocol/limits';
import { describeRunnerEnd } from '@farjit/protocol/runner-end';
import type { ExecutorEvent, ExecutorEvents, SessionName } from '../events.js';
import { faultWords } from '../guard.js';
import { describeIdentity } from '../identity.js';
import type { Log, LogFields } from './log.js';

/** Refusals written in any one second: whoever can connect can be refused as often as he likes. */
const MAX_REFUSALS = 10;

/** Writes down what happens in a host. */
export function logEvents(log: Log, events: ExecutorEvents): void {
  const refusals = new RateLimit(MAX_REFUSALS);
  let passedOver = 0;
  events.subscribe((event) => {
    if (event.type !== 'session-refused') return logEvent(log, event);
    if (!refusals.take()) {
      passedOver++;
      return;
    }
    const { status, reason, remoteAddress = 'this machine' } = event;
    const more = passedOver === 0 ? '' : `, after ${passedOver} that are not shown`;
    log.write('session-refused', `refused a connection from ${remoteAddress}: ${reason}${more}`, {
      status,
      reason,
      remoteAddress,
      passedOver,
    });
    passedOver = 0;
  });
}

function logEvent(log: Log, event: ExecutorEvent): void {
  switch (event.type) {
    case 'session-opened': {
      const { session, client, openMs } = event;
      const words = `session ${session.id} opened for ${describeIdentity(session.identity)}`;
      return log.write('session-opened', words, { ...nameOf(session), client, openMs: Math.round(openMs) });
    }
    case 'session-closed': {
      const { session, reason, openedMs } = event;
      const words = `session ${session.id} closed: ${reason}`;
      return log.write('session-closed', words, {
        ...nameOf(session),
        reason,
        openedMs: Math.round(openedMs),
      });
    }
    case 'session-lost': {
      const { session, reason } = event;
      const words = `session ${session.id} has lost its connection: ${reason || 'no reason given'}`;
      return log.write('session-lost', words, { ...nameOf(session), reason });
    }
    case 'session-resumed':
      return log.write('session-resumed', `session ${event.session.id} resumed`, nameOf(event.session));
    case 'runner-started': {
      const { session, generation, processId, wasWarm } = event;
      const words = `session ${session.id}: runner ${generation} is process ${processId}`;
      return log.write('runner-started', words, { ...nameOf(session), generation, processId, wasWarm });
    }
    case 'runner-failed': {
      const reason = event.error instanceof Error ? event.error.message : String(event.error);
      const words = `session ${event.session.id}: ${reason}`;
      return log.write('runner-failed', words, { ...nameOf(event.session), reason });
    }
    case 'runner-ended': {
      const { session, generation, end } = event;
      const words = `session ${session.id}: runner ${generation} has ended: ${wordsOf(end)}`;
      const fields = { ...nameOf(session), generation, how: end.kind, ...detailsOf(end) };
      return log.write(end.kind === 'trap' ? 'trap' : 'runner-ended', words, fields);
    }
    case 'internal-fault': {
      const { place, error, session } = event;
      const stack = error instanceof Error ? error.stack : undefined;
      const owner = session ? `session ${session.id}: ` : '';
      const words = `${owner}${faultWords(place, error)}; please report this`;
      return log.write('internal-fault', words, { ...(session && nameOf(session)), place, stack });
    }
    case 'limit-reached': {
      const { session, limit } = event;
      const words = `session ${session.id} has reached ${describeLimit(limit)}`;
      return log.write('limit-reached', words, {
        ...nameOf(session),
        limit: limit.name,
        value: limit.value,
      });
    }
  }
}

function nameOf({ id, identity }: SessionName): LogFields {
  return { session: id, identity: describeIdentity(identity) };
}

/** A session that is over ends its runner as an interrupted call does. */
function wordsOf(end: RunnerEnd): string {
  return end.kind === 'cancelled' ? 'its session is over, or a call was interrupted' : describeRunnerEnd(end);
}

function detailsOf(end: RunnerEnd): LogFields {
  switch (end.kind) {
    case 'trap': {
      const { signal, faultAddress, programCounter, stackOverflow } = end.trap;
      return {
        signal,
        faultAddress: formatAddr(faultAddress),
        programCounter: formatAddr(programCounter),
        stackOverflow,
      };
    }
    case 'exit':
      return { exitStatus: end.status };
    case 'signal':
      return { signal: end.signal };
    case 'limit':
      return { limit: end.limit.name, value: end.limit.value };
    case 'quota':
      return { quota: end.quota.name, value: end.quota.value };
    default:
      return {};
  }
}
