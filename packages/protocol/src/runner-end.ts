import { formatAddr } from './executor-addr.js';
import { describeLimit } from './limits.js';
import type { RunnerEnd } from './messages/run.js';
import { describeQuota } from './quotas.js';

/** A runner's end in words, to follow a colon. */
export function describeRunnerEnd(end: RunnerEnd): string {
  switch (end.kind) {
    case 'trap':
      return `${end.trap.signal} at ${formatAddr(end.trap.programCounter)}`;
    case 'exit':
      return `the program called exit(${end.status})`;
    case 'signal':
      return `killed by ${end.signal}`;
    case 'deadline':
      return `a call passed its deadline of ${end.deadlineMs} ms`;
    case 'cancelled':
      return 'a call was interrupted';
    case 'limit':
      return `the program reached ${describeLimit(end.limit)}`;
    case 'quota':
      return `${describeQuota(end.quota)} is used up`;
    case 'unwind-failed':
      return 'a thread could not go on without a function that it had called';
    case 'fault':
      return end.message;
  }
}
