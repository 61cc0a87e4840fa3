import { readFileSync } from 'node:fs';

/**
 * LLVM CPU name to generate for. Features are listed apart, so the name stands for the baseline: a name like
 * `skylake` would bring features along that this machine, or its hypervisor, may not have.
 */
export const CPU_NAME = 'x86-64';

/** LLVM feature by the flag of `/proc/cpuinfo` that stands for it. */
const FEATURES: Readonly<Record<string, string>> = {
  pni: 'sse3',
  ssse3: 'ssse3',
  sse4_1: 'sse4.1',
  sse4_2: 'sse4.2',
  popcnt: 'popcnt',
  cx16: 'cx16',
  lahf_lm: 'sahf',
  pclmulqdq: 'pclmul',
  aes: 'aes',
  avx: 'avx',
  f16c: 'f16c',
  fma: 'fma',
  avx2: 'avx2',
  movbe: 'movbe',
  bmi1: 'bmi',
  bmi2: 'bmi2',
  abm: 'lzcnt',
  adx: 'adx',
  sha_ni: 'sha',
  vaes: 'vaes',
  vpclmulqdq: 'vpclmulqdq',
  gfni: 'gfni',
  avx512f: 'avx512f',
  avx512cd: 'avx512cd',
  avx512bw: 'avx512bw',
  avx512dq: 'avx512dq',
  avx512vl: 'avx512vl',
  avx512ifma: 'avx512ifma',
  avx512vbmi: 'avx512vbmi',
  avx512_vbmi2: 'avx512vbmi2',
  avx512_vnni: 'avx512vnni',
  avx512_bitalg: 'avx512bitalg',
  avx512_vpopcntdq: 'avx512vpopcntdq',
};

/**
 * LLVM's feature string, `+avx,+avx2,…`, of the `flags` line of `/proc/cpuinfo`. The kernel leaves a flag out when
 * the system does not save the registers it needs, so what is listed can be used.
 */
export function cpuFeaturesOf(cpuinfo: string): string {
  const line = /^flags\s*:(.*)$/m.exec(cpuinfo)?.[1] ?? '';
  const flags = new Set(line.trim().split(/\s+/));
  return Object.entries(FEATURES)
    .filter(([flag]) => flags.has(flag))
    .map(([, feature]) => `+${feature}`)
    .join(',');
}

/** The feature string of this machine; empty when the kernel does not say, which means the baseline. */
function hostCpuFeatures(): string {
  try {
    return cpuFeaturesOf(readFileSync('/proc/cpuinfo', 'utf8'));
  } catch {
    return '';
  }
}

/**
 * The feature string to generate code for: all that this machine has, or those of it that were asked for. Hosts that are told
 * the same can run the same code.
 * @param asked as in `+avx2,+fma`; the empty string is the baseline.
 * @throws {RangeError} for features that this machine, or this list, does not have.
 */
export function chosenCpuFeatures(asked?: string, available = hostCpuFeatures()): string {
  if (asked === undefined) return available;
  const known = available.split(',');
  const wanted = asked.split(',').filter((feature) => feature !== '');
  const missing = wanted.filter((feature) => !known.includes(feature));
  if (missing.length > 0)
    throw new RangeError(
      `the CPU features ${missing.join(', ')} are not there; this machine has ${available || 'none beyond the baseline'}`,
    );
  // In the order of the list: the same features are the same target.
  return known.filter((feature) => wanted.includes(feature)).join(',');
}
