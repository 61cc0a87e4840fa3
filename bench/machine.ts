import { readFileSync } from 'node:fs';
import { cpus, loadavg, release, totalmem } from 'node:os';

/** What the figures were taken on. */
export interface Machine {
  readonly cpu: string;
  readonly coreCount: number;
  readonly memoryMiB: number;
  readonly kernel: string;
  readonly distribution: string;
  readonly node: string;
  readonly libLLVM: string;
  /** Processes that wanted to run, averaged over the minute before the first measurement. */
  readonly loadAverage: number;
}

/** @param libLLVM version of the libLLVM that FarJIT uses. */
export function describeMachine(libLLVM: string): Machine {
  return {
    cpu: cpus()[0]?.model.trim() ?? 'unknown',
    coreCount: cpus().length,
    memoryMiB: Math.round(totalmem() / 2 ** 20),
    kernel: `Linux ${release()}`,
    distribution: distribution(),
    node: process.version,
    libLLVM,
    loadAverage: loadavg()[0] ?? 0,
  };
}

/** One fact a line. */
export function machineInWords(machine: Machine): string[] {
  const { cpu, coreCount, memoryMiB, kernel, distribution, node, libLLVM, loadAverage } = machine;
  return [
    `CPU: ${cpu}, ${coreCount} cores, ${(memoryMiB / 1024).toFixed(0)} GiB of memory`,
    `System: ${distribution}, ${kernel}`,
    `Node ${node}, libLLVM ${libLLVM}`,
    `Load average when the measuring began: ${loadAverage.toFixed(2)}; processes not pinned to cores`,
  ];
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
