import type { RunnerEnd } from '@farjit/protocol';
import { formatAddr } from '@farjit/protocol/executor-addr';
import { describeLimit } from '@farjit/protocol/limits';
import { describeRunnerEnd } from '@farjit/protocol/runner-end';
import type { ExecutorEvent, ExecutorEvents, SessionName } from '../events.js';
import { faultWords } from '../guard.js';
import { describeIdentity } from '../identity.js';
import { LineLimits } from './line-limits.js';
import type { Log, LogEvent, LogFields } from './log.js';

/** What is written of an event. */
interface Line {
  readonly event: LogEvent;
  readonly words: string;
  readonly fields: LogFields;
}

/**
 * Writes down what happens in a host. Of lines of one kind that one peer causes, so many a second are written, and how many were
 * not: whoever can connect can be refused, open sessions and lose them as often as he likes.
 */
export function logEvents(log: Log, events: ExecutorEvents): void {
  const limits = new LineLimits<Line>(({ event, words, fields }, passedOver) => {
    if (passedOver === 0) return log.write(event, words, fields);
    log.write(event, `${words}, after ${passedOver} that are not shown`, { ...fields, passedOver });
  });
  events.subscribe((event) => {
    const line = lineOf(event);
    if (line) limits.write(`${line.event} ${line.fields.identity ?? ''}`, line);
  });
}

function line(event: LogEvent, words: string, fields: LogFields): Line {
  return { event, words, fields };
}

/** Undefined for what is counted and not written down. */
function lineOf(event: ExecutorEvent): Line | undefined {
  switch (event.type) {
    case 'session-refused': {
      const { status, reason, remoteAddress = 'this machine' } = event;
      const words = `refused a connection from ${remoteAddress}: ${reason}`;
      return line('session-refused', words, { status, reason, remoteAddress });
    }
    case 'session-opened': {
      const { session, client, openMs } = event;
      const words = `session ${session.id} opened for ${describeIdentity(session.identity)}`;
      return line('session-opened', words, { ...nameOf(session), client, openMs: Math.round(openMs) });
    }
    case 'session-closed': {
      const { session, reason, openedMs } = event;
      const why = reason === 'closed' ? '' : `: ${reason}`;
      const words = `session ${session.id} closed${why}`;
      return line('session-closed', words, {
        ...nameOf(session),
        reason,
        openedMs: Math.round(openedMs),
      });
    }
    case 'session-lost': {
      const { session, reason } = event;
      const words = `session ${session.id} has lost its connection: ${reason || 'no reason given'}`;
      return line('session-lost', words, { ...nameOf(session), reason });
    }
    case 'session-resumed':
      return line('session-resumed', `session ${event.session.id} resumed`, nameOf(event.session));
    case 'runner-started': {
      const { session, generation, processId, wasWarm } = event;
      const words = `session ${session.id}: runner ${generation} is process ${processId}`;
      return line('runner-started', words, { ...nameOf(session), generation, processId, wasWarm });
    }
    case 'runner-failed': {
      const reason = event.error instanceof Error ? event.error.message : String(event.error);
      const words = `session ${event.session.id}: ${reason}`;
      return line('runner-failed', words, { ...nameOf(event.session), reason });
    }
    case 'runner-ended': {
      const { session, generation, end } = event;
      const words = `session ${session.id}: runner ${generation} has ended: ${wordsOf(end)}`;
      const fields = { ...nameOf(session), generation, how: end.kind, ...detailsOf(end) };
      return line(end.kind === 'trap' ? 'trap' : 'runner-ended', words, fields);
    }
    case 'internal-fault': {
      const { place, error, session } = event;
      const stack = error instanceof Error ? error.stack : undefined;
      const owner = session ? `session ${session.id}: ` : '';
      const words = `${owner}${faultWords(place, error)}; please report this`;
      return line('internal-fault', words, { ...(session && nameOf(session)), place, stack });
    }
    case 'limit-reached': {
      const { session, limit } = event;
      const words = `session ${session.id} has reached ${describeLimit(limit)}`;
      return line('limit-reached', words, {
        ...nameOf(session),
        limit: limit.name,
        value: limit.value,
      });
    }
    default:
      return undefined;
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
