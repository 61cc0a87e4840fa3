import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { cpus, loadavg, release, totalmem } from 'node:os';
import { KaleidoscopeJIT } from '@farjit/compiler';
import type { Peers } from './options.js';

/** What the figures were taken on. */
export interface Machine {
  readonly cpu: string;
  readonly coreCount: number;
  readonly memoryMiB: number;
  readonly kernel: string;
  readonly distribution: string;
  readonly node: string;
  /** That FarJIT uses. */
  readonly libLLVM: string;
  /** Processes that wanted to run, averaged over the minute before the first measurement. */
  readonly loadAverage: number;
}

/** Neither its name nor where anything lies on it. */
export async function describeMachine(): Promise<Machine> {
  // Before anything of ours runs.
  const loadAverage = loadavg()[0] ?? 0;
  return {
    cpu: cpus()[0]?.model.trim() ?? 'unknown',
    coreCount: cpus().length,
    memoryMiB: Math.round(totalmem() / 2 ** 20),
    kernel: `Linux ${release()}`,
    distribution: distribution(),
    node: process.version,
    libLLVM: await libLLVMVersion(),
    loadAverage,
  };
}

/** One fact a line. */
export function machineInWords(machine: Machine): string[] {
  const { cpu, coreCount, memoryMiB, kernel, distribution, node, libLLVM, loadAverage } = machine;
  return [
    `CPU: ${cpu}, ${coreCount} cores, ${(memoryMiB / 1024).toFixed(0)} GiB of memory`,
    `System: ${distribution}, ${kernel}`,
    `Node ${node}, libLLVM ${libLLVM}`,
    'NODE_EXTRA_CA_CERTS, which every Node reads at its start, is unset for all that is measured',
    `Load average when the measuring began: ${loadAverage.toFixed(2)}; one contender at a time; processes not pinned to cores`,
  ];
}

export function peersInWords(peers: Peers): string {
  const words = [...peers].map(([name, path]) => `${name} (LLVM ${versionOf(name, path)})`);
  return words.length > 0 ? `Peers: ${words.join(', ')}` : 'Peers: none, FarJIT was measured alone';
}

/** LLVM's tools say their version; the toy is built with LLVM 14, and the rest has its major in its name. */
function versionOf(name: string, path: string): string {
  if (name.startsWith('toy-')) return '14';
  if (name === 'orc-rt-22' || name === 'llvm-jitlink-executor-22') return '22';
  const words = execFileSync(path, ['--version'], { encoding: 'utf8' });
  return /(?:LLVM|clang) version (\d[\w.]*)/.exec(words)?.[1] ?? 'unknown';
}

async function libLLVMVersion(): Promise<string> {
  const jit = await KaleidoscopeJIT.create();
  try {
    return jit.libLLVM.version;
  } finally {
    await jit.close();
  }
}

function distribution(): string {
  try {
    return /^PRETTY_NAME="(.*)"$/m.exec(readFileSync('/etc/os-release', 'utf8'))?.[1] ?? 'unknown';
  } catch {
    return 'unknown';
  }
}

/** Said after the last measurement: whether somebody else was at work meanwhile. */
export function loadInWords(): string {
  return `Load average when it ended: ${(loadavg()[0] ?? 0).toFixed(2)}; the bench itself is 1 to 2 of it`;
}
