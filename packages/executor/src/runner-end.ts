import { constants } from 'node:os';
import type { RunnerEnd, TrapReport } from '@farjit/protocol';
import { toExecutorAddr } from '@farjit/protocol/executor-addr';
import type { EndSnapshot } from './control-area.js';
import type { Limits } from './limits.js';
import { EndKind } from './native/shared-layout.js';

/** How the operating system says the process ended: one of the two is set. */
export interface ProcessExit {
  readonly code: number | null;
  readonly signal: string | null;
}

/**
 * Why a runner ended, from what it wrote before it died and how it died. What it wrote is a claim, not a fact:
 * hostile code can write it too, but only about its own session.
 */
export function describeEnd(
  claim: EndSnapshot,
  exit: ProcessExit,
  limits: Limits,
  registerNames: readonly string[],
): RunnerEnd {
  switch (claim.kind) {
    case EndKind.trap:
      return { kind: 'trap', trap: trapReport(claim, registerNames) };
    case EndKind.unwindFailed:
      return { kind: 'unwind-failed' };
    case EndKind.fault:
      return { kind: 'fault', message: claim.message || 'the runner could not go on' };
  }
  // The kernel's signals for limits.
  if (exit.signal === 'SIGXCPU' && limits.cpu !== null)
    return { kind: 'limit', limit: { name: 'cpu', value: limits.cpu } };
  if (exit.signal === 'SIGXFSZ' && limits['file-size'] !== null)
    return { kind: 'limit', limit: { name: 'file-size', value: limits['file-size'] } };
  if (exit.signal !== null) return { kind: 'signal', signal: exit.signal };
  return { kind: 'exit', status: exit.code ?? 0 };
}

function trapReport(claim: EndSnapshot, registerNames: readonly string[]): TrapReport {
  const registers = registerNames.map((name, index) => [name, toExecutorAddr(claim.registers[index] ?? 0n)]);
  return {
    signal: signalName(claim.signal),
    signalCode: claim.signalCode,
    faultAddress: toExecutorAddr(claim.faultAddress),
    programCounter: toExecutorAddr(claim.programCounter),
    threadId: claim.threadId,
    stackOverflow: claim.stackOverflow,
    registers: Object.fromEntries(registers),
    frames: claim.frames.map((frame) => toExecutorAddr(frame)),
  };
}

/** Of the first signal that programs may give a meaning to, as libc counts them. */
const SIGRTMIN = 34;
const SIGRTMAX = 64;

/** As `<signal.h>` has it. */
export function signalName(signal: number): string {
  if (signal >= SIGRTMIN && signal <= SIGRTMAX) return `SIGRTMIN+${signal - SIGRTMIN}`;
  const known = Object.entries(constants.signals).find(([, number]) => number === signal);
  return known ? known[0] : `signal ${signal}`;
}
