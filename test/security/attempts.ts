import { ExecutionTrapError, KaleidoscopeJIT, RunnerLostError } from '@farjit/compiler';
import type { SandboxLevel } from '@farjit/protocol/sandbox';
import { parseAssembly } from '../ir-module.js';

/** How a system call is entered. */
const ENTRY = { syscall: 0n, forking: 1n, interrupt: 2n } as const;

/** A system call, made by JIT'd code with arguments with which it would do its work. */
interface Attempt {
  readonly name: string;
  readonly number: bigint;
  readonly entry?: keyof typeof ENTRY;
  /** Numbers, or names of globals of the module. */
  readonly arguments: readonly (bigint | string)[];
}

/** Numbers of x86-64. */
export const ATTEMPTS: readonly Attempt[] = [
  { name: 'fork', number: 57n, entry: 'forking', arguments: [] },
  { name: 'vfork', number: 58n, entry: 'forking', arguments: [] },
  { name: 'clone (SIGCHLD)', number: 56n, entry: 'forking', arguments: [17n] },
  { name: 'clone3', number: 435n, entry: 'forking', arguments: ['cloneArguments', 88n] },
  // Of a directory: where it is allowed, it answers EACCES instead of replacing the runner.
  { name: 'execve', number: 59n, arguments: ['root', 'zeros', 'zeros'] },
  { name: 'execveat', number: 322n, arguments: [-100n, 'root', 'zeros', 'zeros', 0n] },
  { name: 'open', number: 2n, arguments: ['root', 0n] },
  { name: 'openat', number: 257n, arguments: [-100n, 'root', 0n] },
  { name: 'openat2', number: 437n, arguments: [-100n, 'root', 'zeros', 24n] },
  { name: 'socket', number: 41n, arguments: [2n, 1n, 0n] },
  { name: 'connect', number: 42n, arguments: [0n, 'loopback', 16n] },
  // To process -1, which is nobody: where it is allowed, it answers ESRCH.
  { name: 'ptrace', number: 101n, arguments: [16n, -1n] },
  { name: 'process_vm_writev', number: 311n, arguments: [1n, 'zeros', 0n, 'zeros', 0n, 0n] },
  { name: 'io_uring_setup', number: 425n, arguments: [1n, 'zeros'] },
  { name: 'bpf', number: 321n, arguments: [0n, 'zeros', 48n] },
  { name: 'mount', number: 165n, arguments: ['root', 'root', 'zeros', 0n, 0n] },
  { name: 'unshare (CLONE_FS)', number: 272n, arguments: [0x200n] },
  { name: 'keyctl', number: 250n, arguments: [0n, -3n, 0n] },
  // Of descriptors that are none, which where it is allowed is an error.
  { name: 'dup3 (of another than the input)', number: 292n, arguments: [99n, 0n, 0n] },
  { name: 'dup3 (to another than 0)', number: 292n, arguments: [6n, 98n, 0n] },
  { name: 'fcntl (F_DUPFD)', number: 72n, arguments: [1n, 0n, 0n] },
  { name: 'fcntl (F_SETFL)', number: 72n, arguments: [1n, 4n, 1n] },
  { name: 'ioctl (TIOCSTI)', number: 16n, arguments: [0n, 0x5412n, 'zeros'] },
  { name: 'memfd_create', number: 319n, arguments: ['root', 0n] },
  { name: 'mmap (PROT_EXEC)', number: 9n, arguments: [0n, 4096n, 5n, 0x22n, -1n, 0n] },
  { name: 'mmap (MAP_SHARED)', number: 9n, arguments: [0n, 4096n, 3n, 0x21n, -1n, 0n] },
  { name: 'mmap (MAP_GROWSDOWN)', number: 9n, arguments: [0n, 4096n, 3n, 0x122n, -1n, 0n] },
  { name: 'mmap (MAP_LOCKED)', number: 9n, arguments: [0n, 4096n, 3n, 0x2022n, -1n, 0n] },
  { name: 'mmap (MAP_POPULATE)', number: 9n, arguments: [0n, 4096n, 3n, 0x8022n, -1n, 0n] },
  { name: 'mmap (MAP_HUGETLB)', number: 9n, arguments: [0n, 0x20_0000n, 3n, 0x4_0022n, -1n, 0n] },
  { name: 'mmap (of a descriptor)', number: 9n, arguments: [0n, 4096n, 1n, 2n, 0n, 0n] },
  { name: 'mprotect (PROT_EXEC)', number: 10n, arguments: ['page', 4096n, 5n] },
  { name: 'mprotect (PROT_GROWSDOWN)', number: 10n, arguments: ['page', 4096n, 0x100_0003n] },
  // To nothing, which where it is allowed is an error.
  { name: 'mremap (MREMAP_FIXED)', number: 25n, arguments: ['page', 4096n, 0n, 3n, 'page'] },
  { name: 'mremap (of nothing)', number: 25n, arguments: ['page', 0n, 4096n, 1n] },
  { name: 'mremap (MREMAP_DONTUNMAP)', number: 25n, arguments: ['page', 4096n, 0n, 5n] },
  { name: 'madvise (MADV_WILLNEED)', number: 28n, arguments: ['page', 4096n, 3n] },
  { name: 'madvise (MADV_REMOVE)', number: 28n, arguments: ['page', 4096n, 9n] },
  { name: 'madvise (MADV_MERGEABLE)', number: 28n, arguments: ['page', 4096n, 12n] },
  { name: 'madvise (MADV_HUGEPAGE)', number: 28n, arguments: ['page', 4096n, 14n] },
  { name: 'madvise (MADV_PAGEOUT)', number: 28n, arguments: ['page', 4096n, 21n] },
  { name: 'madvise (MADV_POPULATE_WRITE)', number: 28n, arguments: ['page', 4096n, 23n] },
  { name: 'mlock', number: 149n, arguments: ['page', 4096n] },
  { name: 'mseal', number: 462n, arguments: ['page', 0n, 0n] },
  { name: 'futex (FUTEX_FD)', number: 202n, arguments: ['zeros', 2n, 0n] },
  { name: 'futex (FUTEX_WAKE_OP)', number: 202n, arguments: ['zeros', 5n, 0n, 0n, 'zeros', 0n] },
  // Until the beginning of 1970.
  { name: 'futex (FUTEX_LOCK_PI)', number: 202n, arguments: ['scratch', 6n, 0n, 'nanosecond'] },
  { name: 'futex (FUTEX_UNLOCK_PI)', number: 202n, arguments: ['scratch', 7n, 0n, 0n] },
  { name: 'futex (FUTEX_TRYLOCK_PI)', number: 202n, arguments: ['scratch', 8n, 0n, 0n] },
  // The word is not 1, so nothing waits where it is allowed.
  { name: 'futex (FUTEX_WAIT_REQUEUE_PI)', number: 202n, arguments: ['zeros', 11n, 1n, 0n, 'scratch'] },
  { name: 'futex (FUTEX_CMP_REQUEUE_PI)', number: 202n, arguments: ['zeros', 12n, 1n, 0n, 'scratch', 1n] },
  { name: 'futex (FUTEX_LOCK_PI2)', number: 202n, arguments: ['scratch', 13n, 0n, 'nanosecond'] },
  { name: 'futex_wake', number: 454n, arguments: ['zeros', 1n, 1n, 2n] },
  { name: 'membarrier (MEMBARRIER_CMD_GLOBAL)', number: 324n, arguments: [1n, 0n] },
  { name: 'membarrier (…_GLOBAL_EXPEDITED)', number: 324n, arguments: [2n, 0n] },
  // Together with CLONE_PARENT_SETTID, which where it is allowed is an error.
  { name: 'clone (CLONE_THREAD, CLONE_PIDFD)', number: 56n, entry: 'forking', arguments: [0x3d_1f00n] },
  { name: 'clone (CLONE_THREAD, CLONE_NEWUSER)', number: 56n, entry: 'forking', arguments: [0x103d_0f00n] },
  { name: 'rseq (to unregister)', number: 334n, arguments: ['scratch', 32n, 1n, 0n] },
  { name: 'prctl (PR_SET_DUMPABLE)', number: 157n, arguments: [4n, 1n] },
  { name: 'prctl (PR_SET_SECCOMP)', number: 157n, arguments: [22n, 9n] },
  { name: 'prctl (PR_SET_VMA)', number: 157n, arguments: [0x53564d41n, 0n, 'scratch', 4096n, 0n] },
  { name: 'prlimit64 (to set)', number: 302n, arguments: [0n, 4n, 'zeros', 0n] },
  { name: 'sched_setaffinity', number: 203n, arguments: [0n, 8n, 'zeros'] },
  { name: 'sched_setscheduler', number: 144n, arguments: [0n, 99n, 'zeros'] },
  { name: 'sched_getaffinity (of process 1)', number: 204n, arguments: [1n, 128n, 'scratch'] },
  { name: 'clock_gettime (of process 1)', number: 228n, arguments: [(~1n << 3n) | 2n, 'scratch'] },
  // Until it has used the least time there is.
  { name: 'clock_nanosleep (of process 1)', number: 230n, arguments: [(~1n << 3n) | 2n, 1n, 'nanosecond'] },
  { name: 'kill (process 1)', number: 62n, arguments: [1n, 0n] },
  { name: 'kill (its group)', number: 62n, arguments: [0n, 0n] },
  { name: 'tgkill (process 1)', number: 234n, arguments: [1n, 1n, 0n] },
  // Made for the kernel's own code at probes, and hidden from every filter by kernels that have them.
  { name: 'uretprobe', number: 335n, arguments: [] },
  { name: 'uprobe', number: 336n, arguments: [] },
  { name: 'int 0x80 (getpid)', number: 20n, entry: 'interrupt', arguments: [] },
  { name: 'x32 (getpid)', number: 0x4000_0000n + 39n, arguments: [] },
];

/** Names of the errors that the table shows. */
const ERRNO: Readonly<Record<string, string>> = {
  1: 'EPERM',
  2: 'ENOENT',
  3: 'ESRCH',
  6: 'ENXIO',
  9: 'EBADF',
  11: 'EAGAIN',
  13: 'EACCES',
  14: 'EFAULT',
  22: 'EINVAL',
  38: 'ENOSYS',
  88: 'ENOTSOCK',
  126: 'ENOKEY',
};

const ASSEMBLY = `
@root = global [2 x i8] c"/\\00"
@zeros = global [4096 x i8] zeroinitializer
@page = global [4096 x i8] zeroinitializer, align 4096
@scratch = global [4096 x i8] zeroinitializer
; struct timespec
@nanosecond = global [2 x i64] [i64 0, i64 1]
; struct sockaddr_in: AF_INET, port 80, 127.0.0.1
@loopback = global [16 x i8] c"\\02\\00\\00\\50\\7F\\00\\00\\01\\00\\00\\00\\00\\00\\00\\00\\00"
; struct clone_args: exit_signal is the fifth
@cloneArguments = global [11 x i64] [i64 0, i64 0, i64 0, i64 0, i64 17, i64 0, i64 0, i64 0, i64 0, i64 0, i64 0]

declare i32 @pthread_create(i64*, i8*, i8* (i8*)*, i8*)
declare i32 @pthread_join(i64, i8**)

define i64 @attempt(i64 %entry, i64 %n, i64 %a, i64 %b, i64 %c, i64 %d, i64 %e, i64 %f) {
  %isInterrupt = icmp eq i64 %entry, 2
  br i1 %isInterrupt, label %interrupt, label %fast
interrupt:
  %i = call i64 asm sideeffect "int $$0x80", "={rax},{rax},~{rcx},~{r8},~{r9},~{r10},~{r11},~{memory}"(i64 %n)
  ret i64 %i
fast:
  %r = call i64 asm sideeffect "syscall", "={rax},{rax},{rdi},{rsi},{rdx},{r10},{r8},{r9},~{rcx},~{r11},~{memory}"(i64 %n, i64 %a, i64 %b, i64 %c, i64 %d, i64 %e, i64 %f)
  %isForking = icmp eq i64 %entry, 1
  %isZero = icmp eq i64 %r, 0
  %isChild = and i1 %isForking, %isZero
  br i1 %isChild, label %child, label %done
child:
  %x = call i64 asm sideeffect "syscall", "={rax},{rax},{rdi},~{rcx},~{r11},~{memory}"(i64 231, i64 0)
  unreachable
done:
  ret i64 %r
}

define i8* @thread(i8* %argument) {
  %words = bitcast i8* %argument to i64*
${Array.from(
  { length: 8 },
  (_, i) => `
  %p${i} = getelementptr i64, i64* %words, i64 ${i}
  %v${i} = load i64, i64* %p${i}`,
).join('')}
  %r = call i64 @attempt(${Array.from({ length: 8 }, (_, i) => `i64 %v${i}`).join(', ')})
  %answer = inttoptr i64 %r to i8*
  ret i8* %answer
}

define i64 @attemptOnThread(i64 %entry, i64 %n, i64 %a, i64 %b, i64 %c, i64 %d, i64 %e, i64 %f) {
  %words = alloca [8 x i64]
  %id = alloca i64
  %answer = alloca i8*
${['entry', 'n', 'a', 'b', 'c', 'd', 'e', 'f']
  .map(
    (name, i) => `
  %p${i} = getelementptr [8 x i64], [8 x i64]* %words, i64 0, i64 ${i}
  store i64 %${name}, i64* %p${i}`,
  )
  .join('')}
  %argument = bitcast [8 x i64]* %words to i8*
  %created = call i32 @pthread_create(i64* %id, i8* null, i8* (i8*)* @thread, i8* %argument)
  %thread = load i64, i64* %id
  %joined = call i32 @pthread_join(i64 %thread, i8** %answer)
  %pointer = load i8*, i8** %answer
  %r = ptrtoint i8* %pointer to i64
  ret i64 %r
}
`;

/** What happened to one attempt, by where it was made. */
export interface AttemptRow {
  readonly name: string;
  readonly firstThread: string;
  readonly ownThread: string;
}

/** Makes every attempt from the first thread and from one that JIT'd code makes. */
export async function attemptAll(sandbox: SandboxLevel): Promise<AttemptRow[]> {
  // Those that succeed leave theirs open.
  const limits = { descriptors: ATTEMPTS.length };
  const jit = await KaleidoscopeJIT.create({ local: { sandbox, limits }, optLevel: 0 });
  try {
    await jit.addModule(parseAssembly(ASSEMBLY));
    const rows: AttemptRow[] = [];
    for (const attempt of ATTEMPTS)
      rows.push({
        name: attempt.name,
        firstThread: await make(jit, 'attempt', attempt),
        ownThread: await make(jit, 'attemptOnThread', attempt),
      });
    return rows;
  } finally {
    await jit.close();
  }
}

async function make(jit: KaleidoscopeJIT, how: string, attempt: Attempt): Promise<string> {
  const call = await jit.lookup(how);
  // A runner that is new has other addresses: one call, and it is there.
  await call(0n, 39n, 0n, 0n, 0n, 0n, 0n, 0n);
  const values = await Promise.all(
    attempt.arguments.map(async (argument) => {
      if (typeof argument === 'bigint') return argument;
      const symbol = await jit.findSymbol(argument);
      if (!symbol) throw new Error(`the module has no ${argument}`);
      return symbol.address;
    }),
  );
  const padding = new Array<bigint>(6 - values.length).fill(0n);
  try {
    const result = await call(ENTRY[attempt.entry ?? 'syscall'], attempt.number, ...values, ...padding);
    return inWords(result as bigint);
  } catch (error) {
    if (error instanceof ExecutionTrapError) return `trap: ${error.trap.signal}`;
    if (!(error instanceof RunnerLostError)) throw error;
    if (error.end.kind === 'trap') return `trap: ${error.end.trap.signal}`;
    if (error.end.kind === 'signal') return `killed: ${error.end.signal}`;
    throw error;
  }
}

function inWords(result: bigint): string {
  if (result >= 0n || result < -4095n) return 'done';
  return ERRNO[String(-result)] ?? `errno ${-result}`;
}
