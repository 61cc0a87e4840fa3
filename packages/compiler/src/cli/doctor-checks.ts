import { accessSync, constants, existsSync, readFileSync } from 'node:fs';
import { release } from 'node:os';
import { howToGetPrograms, isOfPackage, nativeProgram } from '@farjit/protocol/native-program';
import { DEFAULT_CODEGEN_PROGRAM } from '../codegen/codegen-pool.js';
import { LibLLVMError } from '../llvm/errors.js';
import {
  type FindOptions,
  findLibLLVM,
  givenLibLLVM,
  isSupported,
  listLibLLVMs,
  SUPPORTED_LLVM,
} from '../llvm/find-libllvm.js';
import { installLine } from '../llvm/install-line.js';
import { howToGetBindings } from '../llvm/llvm-bindings.js';
import { probe, tryCommand } from './doctor-probing.js';

/** What one look at the machine found. */
export interface Finding {
  /** `fail` is required and not right; `warn` can be lived without. */
  readonly level: 'ok' | 'warn' | 'fail';
  readonly what: string;
  /** What to do about it. */
  readonly fix?: string;
}

/** What is left without one of the things that an executor needs. */
const NOTHING_RUNS = 'nothing runs here, and executors elsewhere (--executor URL) run what they are given';
/** What is left without LLVM. */
const NOTHING_COMPILES = 'nothing is compiled, and objects alone run';

const OLDEST_NODE_MAJOR = 20;
/** F_SEAL_FUTURE_WRITE came with Linux 5.1. */
const OLDEST_KERNEL = [5, 1] as const;

export function checkNode(version = process.version): Finding {
  const major = Number(/^v(\d+)\./.exec(version)?.[1] ?? 0);
  if (major >= OLDEST_NODE_MAJOR) return { level: 'ok', what: `Node ${version}` };
  return {
    level: 'fail',
    what: `Node ${version} is too old: FarJIT does not start`,
    fix: `install Node ${OLDEST_NODE_MAJOR} or later from https://nodejs.org`,
  };
}

export function checkPlatform(platform = process.platform, arch = process.arch): Finding {
  if (platform === 'linux' && arch === 'x64') return { level: 'ok', what: 'Linux on x86-64' };
  return {
    level: 'fail',
    what: `${platform} on ${arch}: executors run on Linux x86-64 only, so ${NOTHING_RUNS}`,
    fix: 'use such a machine, or an emulated one',
  };
}

export function checkKernelVersion(kernel = release()): Finding {
  const [major = 0, minor = 0] = kernel.split('.').map((part) => Number.parseInt(part, 10));
  const [oldestMajor, oldestMinor] = OLDEST_KERNEL;
  if (major > oldestMajor || (major === oldestMajor && minor >= oldestMinor))
    return { level: 'ok', what: `Linux ${kernel}` };
  return {
    level: 'fail',
    what: `Linux ${kernel} cannot seal memory against future writing: ${NOTHING_RUNS}`,
    fix: `use Linux ${OLDEST_KERNEL.join('.')} or later`,
  };
}

/** Which libLLVMs there are, which one is used, and whether that one loads. */
export async function checkLibLLVM(options: FindOptions = {}): Promise<Finding[]> {
  const named = givenLibLLVM(options);
  let used: ReturnType<typeof findLibLLVM>;
  try {
    used = findLibLLVM(options);
  } catch (error) {
    if (!(error instanceof LibLLVMError)) throw error;
    // The first sentence says what is wrong, the rest what to do.
    const end = error.message.indexOf('. ') + 1;
    const what = `${error.message.slice(0, end)} Without it ${NOTHING_COMPILES}.`;
    return [{ level: 'fail', what, fix: error.message.slice(end + 1) }];
  }
  const others = listLibLLVMs(options).filter(({ path }) => path !== used.path);
  const findings = [
    await checkUsedLibLLVM(used.path, named ? 'named by FARJIT_LIBLLVM' : 'the newest supported'),
  ];
  for (const other of others) {
    const note = isSupported(other) ? 'FARJIT_LIBLLVM would choose it' : 'not a supported version';
    findings.push({ level: 'ok', what: `also there: libLLVM ${other.version} at ${other.path} (${note})` });
  }
  return findings;
}

async function checkUsedLibLLVM(path: string, why: string): Promise<Finding> {
  const tried = await probe('libllvm', path);
  if (!tried.works)
    return {
      level: 'fail',
      what: `${path} (${why}) does not load, and ${NOTHING_COMPILES}: ${tried.words}`,
      fix: 'install it again, or set FARJIT_LIBLLVM to another one',
    };
  const what = `libLLVM ${tried.words} at ${path} is used (${why})`;
  const major = Number.parseInt(tried.words, 10);
  if (major >= SUPPORTED_LLVM.oldest && major <= SUPPORTED_LLVM.newest) return { level: 'ok', what };
  return {
    level: 'warn',
    what: `${what}; FarJIT is tested with ${SUPPORTED_LLVM.oldest} to ${SUPPORTED_LLVM.newest}`,
    fix: 'if it misbehaves, set FARJIT_LIBLLVM to one of those',
  };
}

/** Whether ffi-rs loads. */
export async function checkFFI(): Promise<Finding> {
  const what = 'ffi-rs, which calls the kernel, and libLLVM for what transforms do,';
  const tried = await probe('ffi-rs');
  if (tried.works) return { level: 'ok', what: `${what} loads` };
  const fix = 'npm install ffi-rs, without --omit=optional: its native half is an optional dependency';
  return { level: 'fail', what: `${what} does not load, and no program runs: ${tried.words}`, fix };
}

/** Whether llvm-bindings loads, which is for those who build modules with it. */
export async function checkBindings(): Promise<Finding> {
  const tried = await probe('llvm-bindings');
  if (tried.works)
    return { level: 'ok', what: 'llvm-bindings, which builds the modules of addModule, loads' };
  const what = `llvm-bindings does not load: addModule has no modules; all else works (${tried.words})`;
  return { level: 'warn', what, fix: howToGetBindings() };
}

/** Whether the native runner starts. */
export function checkRunner(path = runnerPath()): Promise<Finding> {
  return checkProgram('runner', path, {
    without: NOTHING_RUNS,
    fix: `on Debian and Ubuntu: ${installLine(['libgcc-s1'])}; in a clone also: npm run build`,
  });
}

/** Whether the code generator starts. */
export function checkCodegen(path = DEFAULT_CODEGEN_PROGRAM): Promise<Finding> {
  return checkProgram('code generator', path, {
    without: NOTHING_COMPILES,
    fix: 'on Debian and Ubuntu: install the newest libc6 of the release; in a clone: npm run build',
  });
}

/** @param options.without what does not work without the program. */
async function checkProgram(
  what: string,
  path: string,
  { without, fix }: { readonly without: string; readonly fix: string },
): Promise<Finding> {
  if (!existsSync(path))
    return { level: 'fail', what: `no ${what} at ${path}: ${without}`, fix: howToGetPrograms() };
  try {
    accessSync(path, constants.X_OK);
  } catch {
    return {
      level: 'fail',
      what: `the ${what} ${path} is not executable: ${without}`,
      fix: `chmod +x ${path}`,
    };
  }
  const tried = await tryCommand(path, ['--version']);
  if (tried.works) return { level: 'ok', what: `${what} ${path}` };
  return { level: 'fail', what: `the ${what} ${path} does not start, and ${without}: ${tried.words}`, fix };
}

/** Where the executor's package has its runner. */
export function runnerPath(): string {
  const path = 'dist/runner/farjit-runner';
  try {
    return nativeProgram(new URL(path, import.meta.resolve('@farjit/executor/package.json')));
  } catch {
    // The compiler may be alone, as it is in its image.
    return `@farjit/executor/${path}`;
  }
}

/** A compiler is needed to build the native programs, not to use those of a package. */
export async function checkCCompiler(
  command = process.env.CC || 'cc',
  isPrebuilt = isOfPackage(runnerPath()),
): Promise<Finding[]> {
  if (isPrebuilt) return [];
  const tried = await tryCommand(command, ['--version']);
  if (tried.works) return [{ level: 'ok', what: `C compiler: ${tried.words}` }];
  const what = `no C compiler (${command}): the native programs cannot be built here`;
  return [{ level: 'warn', what, fix: 'npm run setup' }];
}

/** What of the kernel the executor uses, each tried. */
export async function checkKernelFeatures(): Promise<Finding[]> {
  const tried = await probe('kernel');
  if (!tried.works)
    return [
      {
        level: 'fail',
        what: `kernel features could not be tried, and it is not known what runs here: ${tried.words}`,
        fix: 'see ffi-rs above',
      },
    ];
  const features = JSON.parse(tried.words) as Record<string, boolean>;
  return Object.entries(features).map(([name, works]) =>
    works
      ? { level: 'ok', what: name }
      : {
          level: 'fail',
          what: `the kernel refuses ${name}: ${NOTHING_RUNS}`,
          fix: 'in a container, loosen its seccomp profile; else use a newer kernel',
        },
  );
}

/** What a filter of system calls may do on this kernel: the runner's kills on what it must never see. */
export function checkSeccomp(actions = readIfThere('/proc/sys/kernel/seccomp/actions_avail')): Finding {
  const available = actions.split(/\s+/);
  const missing = ['kill_process', 'errno', 'allow'].filter((action) => !available.includes(action));
  if (missing.length === 0) return { level: 'ok', what: 'seccomp filters' };
  return {
    level: 'fail',
    what: `seccomp is not there or lacks ${missing.join(', ')}: runners cannot be confined`,
    fix: 'use a kernel built with CONFIG_SECCOMP_FILTER',
  };
}

/** What the resolver saves of a thread's registers when a function is called for the first time. */
export function checkCPU(cpuinfo = readIfThere('/proc/cpuinfo')): Finding {
  const flags = /^flags\s*:(.*)$/m.exec(cpuinfo)?.[1]?.trim().split(/\s+/) ?? [];
  const vectors = ['avx', 'avx2', 'avx512f'].filter((flag) => flags.includes(flag));
  if (flags.includes('xsave'))
    return { level: 'ok', what: `CPU saves vector state with xsave (${vectors.join(', ') || 'sse only'})` };
  if (vectors.length === 0) return { level: 'ok', what: 'CPU without xsave: fxsave saves all it has (sse)' };
  return {
    level: 'fail',
    what: `CPU with ${vectors.join(', ')} but without xsave: first calls would lose upper vector halves`,
    fix: 'let the hypervisor pass xsave on',
  };
}

function readIfThere(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return '';
  }
}
