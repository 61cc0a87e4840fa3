// Not a test: runs a program in the default sandbox and tries the strict one, and writes what came of it, so that hosts
// with fewer rights can do so.
import { readFileSync } from 'node:fs';
import { KaleidoscopeJIT } from '@farjit/compiler';
import type { Confinement } from '@farjit/protocol';
import { isAlive } from '../proc.js';

/** What the process says. */
export interface ConfinedReport {
  /** Of two calls, before and after the runner was lost. */
  readonly answers: readonly unknown[];
  readonly confinement: Confinement;
  /** The first runner's `/proc/<pid>/status`. */
  readonly status: string;
  /** What a call without end failed with, and whether its runner was there still. */
  readonly endless: string;
  readonly isLeft: boolean;
  /** Why there is no strict sandbox; empty when there is. */
  readonly strict: string;
}

const words = (error: unknown) => (error instanceof Error ? error.message : String(error));

const jit = await KaleidoscopeJIT.create({ optLevel: 0 });
await jit.addSource('def twice(x) 2 * x; def f(x) twice(x) + 1; def spin(x) for i = 0, 1 in x;');
const f = await jit.lookup('f');
const before = await f(20);
const { processId, confinement } = jit.runner;
const status = readFileSync(`/proc/${processId}/status`, 'utf8');
const spin = await jit.lookup('spin');
const endless = await spin.call([1], { deadlineMs: 300 }).then(String, words);
const after = await f(1);
const isLeft = isAlive(processId);
await jit.close();

const strict = await KaleidoscopeJIT.create({ local: { sandbox: 'strict' } }).then(async (other) => {
  await other.close();
  return '';
}, words);
const report: ConfinedReport = { answers: [before, after], confinement, status, endless, isLeft, strict };
process.stdout.write(JSON.stringify(report));
