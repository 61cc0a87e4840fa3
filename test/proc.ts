import { existsSync, readdirSync, readFileSync, readlinkSync } from 'node:fs';

/** Whether a process exists and is not a zombie. */
export function isAlive(processId: number): boolean {
  if (!existsSync(`/proc/${processId}`)) return false;
  try {
    return !/^State:\s+[ZX]/m.test(readFileSync(`/proc/${processId}/status`, 'utf8'));
  } catch {
    return false;
  }
}

/** Resident set in KiB. */
export function residentKiB(processId: number): number {
  const match = /^VmRSS:\s+(\d+) kB/m.exec(readFileSync(`/proc/${processId}/status`, 'utf8'));
  return Number(match?.[1]);
}

/** Threads of a process. */
export function threadCount(processId: number): number {
  return readdirSync(`/proc/${processId}/task`).length;
}

/** Open descriptors of a process. */
export function descriptorCount(processId: number): number {
  return readdirSync(`/proc/${processId}/fd`).length;
}

/** One line of `/proc/<pid>/maps`. */
export interface Mapping {
  readonly rights: string;
  readonly path: string;
  readonly start: bigint;
  readonly end: bigint;
}

export function parseMaps(text: string): Mapping[] {
  return text
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => {
      const match = /^([0-9a-f]+)-([0-9a-f]+) (\S{4}) \S+ \S+ \d+\s*(.*)$/.exec(line);
      if (!match) throw new Error(`not a line of maps: ${line}`);
      const [, start, end, rights = '', path = ''] = match;
      return { rights, path, start: BigInt(`0x${start}`), end: BigInt(`0x${end}`) };
    });
}

/** Mappings that are writable and executable at once. */
export function writableAndExecutable(mappings: readonly Mapping[]): Mapping[] {
  return mappings.filter(({ rights }) => rights.includes('w') && rights.includes('x'));
}

/** What a process's descriptors lead to. */
export function descriptorTargets(processId: number): string[] {
  return readdirSync(`/proc/${processId}/fd`).map((fd) => {
    try {
      return readlinkSync(`/proc/${processId}/fd/${fd}`);
    } catch {
      return '';
    }
  });
}
