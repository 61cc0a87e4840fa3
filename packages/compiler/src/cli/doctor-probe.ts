// A program of its own: `node doctor-probe.cjs <probe> [argument]` tries one thing, writes one line about it to stdout
// and ends with 0, or one line to stderr and 1.
import { createRequire } from 'node:module';

const F_ADD_SEALS = 1033;
const MFD_ALLOW_SEALING = 2;
const F_SEAL_SHRINK = 2;
const F_SEAL_GROW = 4;
const F_SEAL_FUTURE_WRITE = 16;
const PR_GET_NO_NEW_PRIVS = 39;
const SYS_MEMBARRIER = { x64: 324n, arm64: 283n } as const;
const MEMBARRIER_CMD_QUERY = 0n;
const MEMBARRIER_CMD_PRIVATE_EXPEDITED_SYNC_CORE = 32n;
const LIBC = 'libc.so.6';

const probes: Record<string, (argument: string) => Promise<string>> = {
  async libllvm(path) {
    const { loadLibLLVM } = await import('../llvm/libllvm.js');
    return loadLibLLVM(path).version;
  },
  async 'llvm-bindings'() {
    const llvm = createRequire(import.meta.url)('llvm-bindings');
    return new llvm.LLVMContext().constructor.name;
  },
  async 'ffi-rs'() {
    const { C, cFunction, openLibrary } = await import('../ffi/c-function.js');
    openLibrary(LIBC);
    const pid = cFunction<() => number>(LIBC, 'getpid', C.int, [])();
    if (pid !== process.pid) throw new Error(`getpid answers ${pid} instead of ${process.pid}`);
    return String(pid);
  },
  async kernel() {
    const { C, cFunction, openLibrary } = await import('../ffi/c-function.js');
    openLibrary(LIBC);
    const memfdCreate = cFunction<(name: string, flags: number) => number>(LIBC, 'memfd_create', C.int, [
      C.string,
      C.int,
    ]);
    const fcntl = cFunction<(fd: number, command: number, argument: number) => number>(LIBC, 'fcntl', C.int, [
      C.int,
      C.int,
      C.int,
    ]);
    const prctl = cFunction<(...args: [number, ...bigint[]]) => number>(LIBC, 'prctl', C.int, [
      C.int,
      C.size,
      C.size,
      C.size,
      C.size,
    ]);
    const syscall = cFunction<(...args: bigint[]) => bigint>(LIBC, 'syscall', C.size, [
      C.size,
      C.size,
      C.size,
      C.size,
    ]);

    const memfd = memfdCreate('farjit-doctor', MFD_ALLOW_SEALING);
    const seals = F_SEAL_FUTURE_WRITE | F_SEAL_GROW | F_SEAL_SHRINK;
    const membarrier =
      process.arch === 'x64' || process.arch === 'arm64' ? SYS_MEMBARRIER[process.arch] : -1n;
    // Refused, the answer is -1, which has every bit; no command has the uppermost.
    const commands = BigInt.asIntN(64, syscall(membarrier, MEMBARRIER_CMD_QUERY, 0n, 0n));
    return JSON.stringify({
      memfd_create: memfd >= 0,
      'sealing a memfd with F_SEAL_FUTURE_WRITE': memfd >= 0 && fcntl(memfd, F_ADD_SEALS, seals) === 0,
      'membarrier with SYNC_CORE':
        commands > 0n && (commands & MEMBARRIER_CMD_PRIVATE_EXPEDITED_SYNC_CORE) !== 0n,
      PR_SET_NO_NEW_PRIVS: prctl(PR_GET_NO_NEW_PRIVS, 0n, 0n, 0n, 0n) >= 0,
    });
  },
};

async function main([what = '', argument = '']: readonly string[]): Promise<void> {
  const probe = probes[what];
  if (!probe)
    throw new Error(`no probe ${JSON.stringify(what)}; there are ${Object.keys(probes).join(', ')}`);
  process.stdout.write(`${await probe(argument)}\n`);
}

main(process.argv.slice(2)).catch((error) => {
  const message = error instanceof Error ? error.message : String(error);
  process.stderr.write(`${message.split('\n')[0]}\n`);
  process.exitCode = 1;
});
