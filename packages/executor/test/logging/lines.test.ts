import { toExecutorAddr } from '@farjit/protocol/executor-addr';
import test from 'ava';
import { type ExecutorEvent, ExecutorEvents } from '../../src/events.js';
import { Log } from '../../src/logging/log.js';
import { logEvents } from '../../src/logging/log-events.js';

const session = { id: 's1', identity: { kind: 'token', name: 'farm', quotas: {} } } as const;
const NAME = { session: 's1', identity: 'token farm' };
const FARM_QUOTA = { name: 'calls', value: 5, identity: 'token farm' } as const;

/** What is written of an event, without its time. */
function lineOf(event: ExecutorEvent): Record<string, unknown> | undefined {
  const lines: string[] = [];
  const events = new ExecutorEvents();
  logEvents(
    new Log({ level: 'trace', format: 'json', sink: { write: (line) => void lines.push(line) } }),
    events,
  );
  events.emit(event);
  if (lines.length > 1) throw new Error(`${lines.length} lines`);
  const [line] = lines;
  if (line === undefined) return undefined;
  const { time, ...fields } = JSON.parse(line) as Record<string, unknown>;
  return fields;
}

const ended = (end: Extract<ExecutorEvent, { type: 'runner-ended' }>['end']): ExecutorEvent => ({
  type: 'runner-ended',
  session,
  generation: 3,
  end,
});

const address = (value: bigint) => toExecutorAddr(value);

const LINES: readonly [ExecutorEvent, Record<string, unknown> | undefined][] = [
  [
    { type: 'session-opened', session, client: 'farjit 1', openMs: 1.6 },
    { level: 'info', event: 'session-opened', ...NAME, client: 'farjit 1', openMs: 2 },
  ],
  [
    { type: 'session-closed', session, reason: 'done', openedMs: 9.4 },
    { level: 'info', event: 'session-closed', ...NAME, reason: 'done', openedMs: 9 },
  ],
  [
    { type: 'session-refused', status: 429, reason: 'quota', remoteAddress: '192.0.2.1' },
    {
      level: 'warn',
      event: 'session-refused',
      status: 429,
      reason: 'quota',
      remoteAddress: '192.0.2.1',
      msg: 'refused a connection from 192.0.2.1: quota',
    },
  ],
  [
    { type: 'session-refused', status: undefined, reason: 'slow', remoteAddress: undefined },
    { event: 'session-refused', remoteAddress: 'this machine' },
  ],
  [
    { type: 'session-lost', session, reason: '' },
    { level: 'info', ...NAME, reason: '', msg: 'session s1 has lost its connection: no reason given' },
  ],
  [
    { type: 'session-resumed', session },
    { level: 'info', event: 'session-resumed', ...NAME },
  ],
  [
    { type: 'runner-started', session, generation: 2, processId: 77, wasWarm: true },
    { level: 'debug', event: 'runner-started', ...NAME, generation: 2, processId: 77, wasWarm: true },
  ],
  [
    { type: 'runner-failed', session, error: new Error('no memory') },
    { level: 'error', event: 'runner-failed', ...NAME, reason: 'no memory', msg: 'session s1: no memory' },
  ],
  [
    ended({ kind: 'exit', status: 4 }),
    { level: 'info', event: 'runner-ended', ...NAME, generation: 3, how: 'exit', exitStatus: 4 },
  ],
  [ended({ kind: 'signal', signal: 'SIGKILL' }), { event: 'runner-ended', how: 'signal', signal: 'SIGKILL' }],
  [
    ended({ kind: 'limit', limit: { name: 'memory', value: 6 } }),
    { event: 'runner-ended', how: 'limit', limit: 'memory', value: 6 },
  ],
  [
    ended({ kind: 'quota', quota: FARM_QUOTA }),
    { event: 'runner-ended', how: 'quota', quota: 'calls', value: 5 },
  ],
  [
    ended({ kind: 'cancelled' }),
    {
      how: 'cancelled',
      msg: 'session s1: runner 3 has ended: its session is over, or a call was interrupted',
    },
  ],
  [
    ended({
      kind: 'trap',
      trap: {
        signal: 'SIGSEGV',
        signalCode: 1,
        faultAddress: address(0x10n),
        programCounter: address(0x20n),
        threadId: 1,
        stackOverflow: true,
        registers: {},
        frames: [],
      },
    }),
    {
      level: 'warn',
      event: 'trap',
      ...NAME,
      generation: 3,
      how: 'trap',
      signal: 'SIGSEGV',
      faultAddress: '0x10',
      programCounter: '0x20',
      stackOverflow: true,
    },
  ],
  [
    { type: 'internal-fault', place: 'gate', error: new Error('a bug') },
    {
      level: 'error',
      event: 'internal-fault',
      place: 'gate',
      msg: 'the executor failed at gate: a bug; please report this',
    },
  ],
  [
    { type: 'internal-fault', place: 'call.begin', error: 'text', session },
    { ...NAME, msg: 'session s1: the executor failed at call.begin: text; please report this' },
  ],
  [
    { type: 'limit-reached', session, limit: { name: 'threads', value: 8 } },
    { level: 'warn', event: 'limit-reached', ...NAME, limit: 'threads', value: 8 },
  ],
  [{ type: 'call-started' }, undefined],
  [{ type: 'call-ended', outcome: 'trap', durationMs: 1 }, undefined],
  [{ type: 'callback-ended', outcome: 'lost', durationMs: 1 }, undefined],
  [{ type: 'host-call-ended', outcome: 'lost', durationMs: 1 }, undefined],
  [{ type: 'commit-applied', durationMs: 1 }, undefined],
  [{ type: 'frame', direction: 'sent', sizeBytes: 1 }, undefined],
];

for (const [index, [event, expected]] of LINES.entries())
  test(`${expected ? 'a line' : 'no line'} is written of ${event.type} (${index})`, (t) => {
    const line = lineOf(event);
    if (expected === undefined) t.is(line, undefined);
    else t.like(line, expected);
  });
