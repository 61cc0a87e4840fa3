import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { cpus, loadavg, release, totalmem } from 'node:os';
import { KaleidoscopeJIT } from '@farjit/compiler';
import type { Peers } from './options.js';
import { summarize } from './samples.js';

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
  /** Milliseconds of `node -e 0` with and without the certificates of NODE_EXTRA_CA_CERTS; undefined where that is not set. */
  readonly certificates?: { readonly withMs: number; readonly withoutMs: number } | undefined;
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
    certificates: measureCertificates(),
    loadAverage,
  };
}

/** One fact a line. */
export function machineInWords(machine: Machine): string[] {
  const { cpu, coreCount, memoryMiB, kernel, distribution, node, libLLVM, certificates, loadAverage } =
    machine;
  return [
    `CPU: ${cpu}, ${coreCount} cores, ${(memoryMiB / 1024).toFixed(0)} GiB of memory`,
    `System: ${distribution}, ${kernel}`,
    `Node ${node}, libLLVM ${libLLVM}`,
    ...(certificates
      ? [
          `NODE_EXTRA_CA_CERTS is set, which Node reads at every start: \`node -e 0\` takes ${certificates.withMs.toFixed(0)} ms, ` +
            `without it ${certificates.withoutMs.toFixed(0)} ms. \`farjit\` starts its own Nodes without it, as none of them speaks TLS`,
        ]
      : []),
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

function measureCertificates(): Machine['certificates'] {
  const { NODE_EXTRA_CA_CERTS: certificates, ...env } = process.env;
  if (!certificates) return undefined;
  const medianMs = (environment: NodeJS.ProcessEnv) =>
    summarize(
      Array.from({ length: 7 }, () => {
        const startMs = performance.now();
        execFileSync(process.execPath, ['-e', '0'], { env: environment });
        return performance.now() - startMs;
      }),
    ).median;
  return { withMs: medianMs(process.env), withoutMs: medianMs(env) };
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
