import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readdirSync, readFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Benchmark } from '../benchmark.js';
import { farjitCommand } from '../contenders.js';
import type { Figure } from '../figure.js';
import { chain } from '../programs.js';
import { summarize } from '../samples.js';

const FUNCTION_COUNT = 1000;
/** After the last result: idle timers have run, and what was compiled in the background is done. */
const REST_MS = 1500;
const ANSWER_TIMEOUT_MS = 60_000;

const ROLES = ['compiler', 'host', 'runner'] as const;
type Role = (typeof ROLES)[number];
const LIMITS_MIB: Readonly<Record<Role, number>> = { compiler: 250, host: 90, runner: 10 };

const PROCESSES: Readonly<Record<Role, string>> = {
  compiler: 'the compiler and the processes that generate code for it',
  host: 'the executor’s host',
  runner: 'the runner',
};

/** Resident memory in MiB. */
type Memory = Readonly<Record<Role, number>>;

/** What stays in memory when nothing is done any more, in a REPL that has run a chain. */
export const memoryAtRest: Benchmark = {
  id: 'memory',
  title: `memory at rest after a chain of ${FUNCTION_COUNT.toLocaleString('en')}`,
  budgetSeconds: { full: 15, smoke: 1 },
  async run({ progress, rounds }) {
    progress('memory of a REPL at rest');
    const samples: Memory[] = [];
    for (const { isWarmUp } of rounds()) if (!isWarmUp) samples.push(await measure());
    return {
      figures: ROLES.map((role) => figure(role, samples)),
      tables: [],
      plots: [],
      data: samples,
    };
  },
};

function figure(role: Role, samples: readonly Memory[]): Figure {
  return {
    what: `memory at rest, chain of ${FUNCTION_COUNT.toLocaleString('en')}: ${role} (RSS)`,
    target: { limit: LIMITS_MIB[role], unit: 'MiB', digits: 0 },
    measured: summarize(samples.map((memory) => memory[role])),
    how: `resident memory of ${PROCESSES[role]}, \`farjit repl\` ${REST_MS / 1000} s after the chain’s result`,
  };
}

async function measure(): Promise<Memory> {
  const { program, args } = farjitCommand('repl', '--no-cache');
  const repl = spawn(program, args, { stdio: ['pipe', 'pipe', 'inherit'] });
  try {
    const { kaleidoscope, expected } = chain(FUNCTION_COUNT);
    repl.stdin.write(kaleidoscope);
    await said(repl, `Evaluated to ${expected}\n`);
    await sleep(REST_MS);
    return residentMiB(repl.pid ?? 0);
  } finally {
    const ended = once(repl, 'exit');
    repl.stdin.end();
    await ended;
  }
}

/** @throws {Error} when the process does not say it, or ends first. */
async function said(child: ChildProcess, words: string): Promise<void> {
  let output = '';
  const timer = setTimeout(() => child.kill(), ANSWER_TIMEOUT_MS);
  try {
    for await (const chunk of child.stdout?.iterator({ destroyOnReturn: false }) ?? []) {
      output += String(chunk);
      if (output.includes(words)) return;
    }
  } finally {
    clearTimeout(timer);
  }
  throw new Error(`farjit repl ended without ${JSON.stringify(words)}: ${output.slice(-2000)}`);
}

/** Of a process and all that it started. The host is who started a runner; whatever else there is belongs to the compiler. */
function residentMiB(root: number): Memory {
  const processes = new Map(processIds().map((id) => [id, statusOf(id)]));
  const family = [root];
  for (const id of family)
    for (const [child, status] of processes) if (status?.parent === id) family.push(child);
  const runners = family.filter((id) => processes.get(id)?.name === 'farjit-runner');
  const hosts = runners.map((id) => processes.get(id)?.parent);
  const memory = { compiler: 0, host: 0, runner: 0 };
  for (const id of family) {
    const role = runners.includes(id) ? 'runner' : hosts.includes(id) ? 'host' : 'compiler';
    memory[role] += (processes.get(id)?.residentKiB ?? 0) / 1024;
  }
  return memory;
}

function processIds(): number[] {
  return readdirSync('/proc').flatMap((name) => (/^\d+$/.test(name) ? [Number(name)] : []));
}

function statusOf(id: number): { name: string; parent: number; residentKiB: number } | undefined {
  let status: string;
  try {
    status = readFileSync(`/proc/${id}/status`, 'utf8');
  } catch {
    // It has ended.
    return undefined;
  }
  const field = (name: string) => new RegExp(`^${name}:\\s+(\\S+)`, 'm').exec(status)?.[1] ?? '';
  return { name: field('Name'), parent: Number(field('PPid')), residentKiB: Number(field('VmRSS')) };
}
