import { closeSync } from 'node:fs';
import { constants } from 'node:os';
import { getSystemErrorName } from 'node:util';
import { FarJITError } from '@farjit/protocol/errors';
import { createExternalBuffer, DataType, open, load as symbol } from 'ffi-rs';

/*
 * The one file that reaches C: a function per symbol of libc. Addresses are `bigint` (`DataType.BigInt`): ffi-rs's
 * other 64-bit types lose bits, and a wrong return type is a SIGSEGV, so every declaration below is next to its
 * C prototype.
 */

const LIBRARY = 'libc';

// The name is that of glibc's ABI, which the runner is linked against too.
open({ library: LIBRARY, path: 'libc.so.6' });

const { I32, U32, BigInt: Word, String: CString, U8Array, External } = DataType;

/** `PROT_*` of `<sys/mman.h>`. */
export const PROT_READ = 1;
export const PROT_WRITE = 2;

/** `MAP_*` of `<sys/mman.h>`. */
export const MAP_SHARED = 0x01;
export const MAP_PRIVATE = 0x02;
export const MAP_FIXED = 0x10;
export const MAP_ANONYMOUS = 0x20;
export const MAP_NORESERVE = 0x4000;

/** `F_SEAL_*` of `<linux/fcntl.h>`. */
export const F_SEAL_SEAL = 0x01;
export const F_SEAL_SHRINK = 0x02;
export const F_SEAL_GROW = 0x04;
export const F_SEAL_FUTURE_WRITE = 0x10;

const MADV_REMOVE = 9;
const MFD_CLOEXEC = 0x0001;
const MFD_ALLOW_SEALING = 0x0002;
const F_GETFL = 3;
const F_SETFL = 4;
const F_OFD_SETLK = 37;
const F_ADD_SEALS = 1033;
const F_WRLCK = 1;
/** `struct flock` of a 64-bit system: type and whence, then start, length and process. */
const FLOCK_BYTES = 32;
const FLOCK_START_OFFSET = 8;
const FLOCK_LENGTH_OFFSET = 16;
const O_NONBLOCK = 0o4000;
const O_CLOEXEC = 0o2000000;
const AF_UNIX = 1;
const SOCK_STREAM = 1;
const SOCK_DGRAM = 2;
/** `struct sockaddr_un`: the family, then a path of at most 107 bytes and its end. */
const SOCKET_PATH_OFFSET = 2;
const SOCKET_ADDRESS_BYTES = 110;
const SOCK_CLOEXEC = 0o2000000;
const SOL_SOCKET = 1;
const SCM_RIGHTS = 1;
const MSG_DONTWAIT = 0x40;
const MSG_NOSIGNAL = 0x4000;
const MSG_CMSG_CLOEXEC = 0x4000_0000;
/** Places in the memory of a message that is received: behind its `struct msghdr`, all that this leads to. */
const MESSAGE = { vector: 64, content: 80, control: 96 };
const MESSAGE_BYTES = 4096;
/** `CMSG_SPACE(sizeof(int))`. */
const CONTROL_MESSAGE_BYTES = 24;
const FUTEX_WAKE = 1n;
const F_DUPFD_CLOEXEC = 1030;
const O_RDWR = 2;
/** Of glibc on 64-bit systems: `posix_spawn_file_actions_t`, `posix_spawnattr_t` and `sigset_t`. */
const SPAWN_FILE_ACTIONS_BYTES = 80;
const SPAWN_ATTRIBUTES_BYTES = 336;
const SIGNAL_SET_BYTES = 128;
const POSIX_SPAWN_SETSIGDEF = 0x04;
const POSIX_SPAWN_SETSIGMASK = 0x08;
const WNOHANG = 1;
/** `struct rusage` of a 64-bit system: two `struct timeval`, then the peak of resident memory in KiB, and thirteen more. */
const RUSAGE_BYTES = 144;
const RUSAGE_SYSTEM_OFFSET = 16;
const RUSAGE_PEAK_OFFSET = 32;
/** `SYS_futex`, by Node's name of the architecture. */
const SYS_FUTEX: Readonly<Record<string, bigint>> = { x64: 202n, arm64: 98n };

/**
 * A libc call failed: `call` is the C function, `errnoName` the error as in `<errno.h>`.
 * @remarks Look at `errnoName`, which is the system’s; it is the cause of an error that says more.
 */
export class LibcError extends FarJITError {
  readonly call: string;
  readonly errno: number;
  readonly errnoName: string;

  constructor(call: string, errno: number, what: string) {
    const errnoName = errno > 0 ? getSystemErrorName(-errno) : 'unknown error';
    super('LIBC_ERROR', `${call}(${what}) failed: ${errnoName}`);
    this.call = call;
    this.errno = errno;
    this.errnoName = errnoName;
  }
}

/**
 * `int memfd_create(const char *name, unsigned flags)`: anonymous memory that can be sealed, close-on-exec.
 * The caller closes the descriptor.
 * @throws {LibcError}
 */
export function memfdCreate(name: string): number {
  return int('memfd_create', [CString, U32], [name, MFD_CLOEXEC | MFD_ALLOW_SEALING], name);
}

/**
 * `int fcntl(int fd, F_ADD_SEALS, int seals)`.
 * @throws {LibcError} EPERM when sealed against sealing, EBUSY for a write seal while writable maps exist.
 */
export function addSeals(fd: number, seals: number): void {
  int('fcntl', [I32, I32, I32], [fd, F_ADD_SEALS, seals], `${fd}, F_ADD_SEALS`);
}

/**
 * `int fcntl(int fd, F_OFD_SETLK, struct flock *)`: locks one byte of an open file, until its descriptor is closed, in
 * whatever way its process ends.
 * @returns whether it is locked now; false when another open file has it.
 * @throws {LibcError}
 */
export function lockByte(fd: number, offset: number): boolean {
  const lock = Buffer.alloc(FLOCK_BYTES);
  lock.writeInt16LE(F_WRLCK, 0);
  lock.writeBigInt64LE(BigInt(offset), FLOCK_START_OFFSET);
  lock.writeBigInt64LE(1n, FLOCK_LENGTH_OFFSET);
  try {
    int('fcntl', [I32, I32, U8Array], [fd, F_OFD_SETLK, lock], `${fd}, F_OFD_SETLK`);
    return true;
  } catch (error) {
    if (error instanceof LibcError && (error.errnoName === 'EAGAIN' || error.errnoName === 'EACCES'))
      return false;
    throw error;
  }
}

/**
 * `int fcntl(int fd, F_SETFL, int flags)`: reads of this open file then fail with EAGAIN instead of waiting.
 * @throws {LibcError}
 */
export function setNonBlocking(fd: number): void {
  const flags = int('fcntl', [I32, I32, I32], [fd, F_GETFL, 0], `${fd}, F_GETFL`);
  int('fcntl', [I32, I32, I32], [fd, F_SETFL, flags | O_NONBLOCK], `${fd}, F_SETFL`);
}

/**
 * `int pipe2(int pipefd[2], O_CLOEXEC)`. The caller closes both ends.
 * @throws {LibcError}
 */
export function pipe(): { readonly readFd: number; readonly writeFd: number } {
  const ends = Buffer.alloc(8);
  int('pipe2', [U8Array, I32], [ends, O_CLOEXEC], 'O_CLOEXEC');
  return { readFd: ends.readInt32LE(0), writeFd: ends.readInt32LE(4) };
}

/**
 * `int socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, int sv[2])`. The caller closes both.
 * @throws {LibcError}
 */
export function socketPair(): readonly [number, number] {
  const ends = Buffer.alloc(8);
  const types = [I32, I32, I32, U8Array];
  int('socketpair', types, [AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends], 'AF_UNIX, SOCK_STREAM');
  return [ends.readInt32LE(0), ends.readInt32LE(4)];
}

/**
 * `socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0)` and `ssize_t sendto(…, MSG_DONTWAIT | MSG_NOSIGNAL, struct sockaddr_un *, …)`: one
 * datagram to a Unix socket, which Node has not.
 * @param path of at most 107 bytes; one that begins with a NUL is a name in the abstract namespace.
 * @throws {LibcError} ENAMETOOLONG for a longer path, EAGAIN when its receiver's queue is full.
 */
export function sendDatagram(path: string, content: string): void {
  const name = Buffer.from(path);
  const what = `AF_UNIX ${path}`;
  if (SOCKET_PATH_OFFSET + name.byteLength >= SOCKET_ADDRESS_BYTES)
    throw new LibcError('sendto', constants.errno.ENAMETOOLONG, what);
  const address = Buffer.alloc(SOCKET_ADDRESS_BYTES);
  address.writeUInt16LE(AF_UNIX, 0);
  name.copy(address, SOCKET_PATH_OFFSET);
  // An abstract name is as long as it is said to be; a path ends with a NUL.
  const addressBytes = SOCKET_PATH_OFFSET + name.byteLength + (name[0] === 0 ? 0 : 1);
  const bytes = Buffer.from(content);
  const fd = int('socket', [I32, I32, I32], [AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0], what);
  try {
    const types = [I32, U8Array, Word, I32, U8Array, U32];
    const flags = MSG_DONTWAIT | MSG_NOSIGNAL;
    word('sendto', types, [fd, bytes, BigInt(bytes.byteLength), flags, address, addressBytes], what);
  } finally {
    close(fd);
  }
}

/**
 * `ssize_t recvmsg(int sockfd, struct msghdr *msg, MSG_DONTWAIT | MSG_CMSG_CLOEXEC)`: a descriptor that the other end has sent, with
 * a byte. The caller closes it.
 * @throws {LibcError} EAGAIN when none has come, ENOMSG for a message without one.
 */
export function receiveDescriptor(fd: number): number {
  const address = mmap(0n, MESSAGE_BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  try {
    const memory = bufferAt(address, MESSAGE_BYTES);
    const at = (offset: number) => address + BigInt(offset);
    // struct msghdr: name and its length; vector and its length; control and its length; flags.
    memory.writeBigUInt64LE(at(MESSAGE.vector), 16);
    memory.writeBigUInt64LE(1n, 24);
    memory.writeBigUInt64LE(at(MESSAGE.control), 32);
    memory.writeBigUInt64LE(BigInt(CONTROL_MESSAGE_BYTES), 40);
    // struct iovec: base and length.
    memory.writeBigUInt64LE(at(MESSAGE.content), MESSAGE.vector);
    memory.writeBigUInt64LE(1n, MESSAGE.vector + 8);
    const flags = MSG_DONTWAIT | MSG_CMSG_CLOEXEC;
    word('recvmsg', [I32, Word, I32], [fd, address, flags], `${fd}, MSG_DONTWAIT`);
    // struct cmsghdr: length, level, type; then the descriptor.
    const sizeBytes = memory.readBigUInt64LE(40);
    const [level, type] = [MESSAGE.control + 8, MESSAGE.control + 12].map((offset) =>
      memory.readInt32LE(offset),
    );
    if (sizeBytes === 0n || level !== SOL_SOCKET || type !== SCM_RIGHTS)
      throw new LibcError('recvmsg', constants.errno.ENOMSG, `${fd}, MSG_DONTWAIT`);
    return memory.readInt32LE(MESSAGE.control + 16);
  } finally {
    munmap(address, MESSAGE_BYTES);
  }
}

/**
 * `void *mmap(void *addr, size_t length, int prot, int flags, int fd, off_t offset)`. With `MAP_FIXED` whatever
 * was mapped there is replaced in one step.
 * @returns address of the mapping.
 * @throws {LibcError}
 */
export function mmap(
  address: bigint,
  sizeBytes: number,
  prot: number,
  flags: number,
  fd: number,
  offsetBytes: number,
): bigint {
  return word(
    'mmap',
    [Word, Word, I32, I32, I32, Word],
    [address, BigInt(sizeBytes), prot, flags, fd, BigInt(offsetBytes)],
    `${sizeBytes} bytes of descriptor ${fd}`,
  );
}

/**
 * `int munmap(void *addr, size_t length)`. No `Buffer` made by `bufferAt` may reach into the range any more: touching
 * it would end the process.
 * @throws {LibcError}
 */
export function munmap(address: bigint, sizeBytes: number): void {
  int('munmap', [Word, Word], [address, BigInt(sizeBytes)], `0x${address.toString(16)}, ${sizeBytes}`);
}

/**
 * `int madvise(void *addr, size_t length, MADV_REMOVE)`: gives whole pages of shared memory back, for all who map them.
 * They read as zeros from then on.
 * @throws {LibcError} EPERM when the memory is sealed against writing.
 */
export function removePages(address: bigint, sizeBytes: number): void {
  const what = `0x${address.toString(16)}, ${sizeBytes}, MADV_REMOVE`;
  int('madvise', [Word, Word, I32], [address, BigInt(sizeBytes), MADV_REMOVE], what);
}

/**
 * `long syscall(SYS_futex, uint32_t *address, FUTEX_WAKE, int count)`, across processes (not FUTEX_PRIVATE).
 * @returns how many waiters were woken.
 * @throws {LibcError} when the architecture's system call number is not known here, too.
 */
export function futexWake(address: bigint, waiterCount: number): number {
  const number = SYS_FUTEX[process.arch];
  if (number === undefined) throw new LibcError('syscall', 0, `SYS_futex on ${process.arch}`);
  const types = [Word, Word, Word, Word];
  const values = [number, address, FUTEX_WAKE, BigInt(waiterCount)];
  return Number(word('syscall', types, values, 'SYS_futex, FUTEX_WAKE'));
}

/** What a program is started with. */
export interface SpawnedWith {
  /** From its own name on. Its environment is empty. */
  readonly args: readonly string[];
  /** Descriptors from 0 on; `/dev/null` where there is none. */
  readonly descriptors: readonly (number | undefined)[];
}

/**
 * `int posix_spawn(pid_t *, const char *path, …)`: starts a program as a child that Node does not know, in `/`, with all signals as
 * they are by default. Node's own `spawn` copies its page tables, which takes far longer than all else.
 * @returns its process id; `waitForChild` takes leave of it.
 * @throws {LibcError}
 */
export function spawnProgram(path: string, { args, descriptors }: SpawnedWith): number {
  const actions = Buffer.alloc(SPAWN_FILE_ACTIONS_BYTES);
  const attributes = Buffer.alloc(SPAWN_ATTRIBUTES_BYTES);
  const copies: number[] = [];
  const strings = cStrings(args);
  done('posix_spawn_file_actions_init', [U8Array], [actions]);
  try {
    done('posix_spawnattr_init', [U8Array], [attributes]);
    done('posix_spawnattr_setsigmask', [U8Array, U8Array], [attributes, Buffer.alloc(SIGNAL_SET_BYTES)]);
    const every = Buffer.alloc(SIGNAL_SET_BYTES, 0xff);
    done('posix_spawnattr_setsigdefault', [U8Array, U8Array], [attributes, every]);
    const flags = POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETSIGMASK;
    done('posix_spawnattr_setflags', [U8Array, I32], [attributes, flags]);
    done('posix_spawn_file_actions_addchdir_np', [U8Array, CString], [actions, '/']);
    for (const [target, descriptor] of descriptors.entries()) {
      if (descriptor === undefined) {
        const types = [U8Array, I32, CString, I32, U32];
        done('posix_spawn_file_actions_addopen', types, [actions, target, '/dev/null', O_RDWR, 0]);
        continue;
      }
      // One that is also a target would be another by the time that it is copied.
      const source = descriptor < descriptors.length ? copyAbove(descriptor, descriptors.length) : descriptor;
      if (source !== descriptor) copies.push(source);
      done('posix_spawn_file_actions_adddup2', [U8Array, I32, I32], [actions, source, target]);
    }
    const processId = Buffer.alloc(4);
    done(
      'posix_spawn',
      [U8Array, CString, U8Array, U8Array, Word, Word],
      [processId, path, actions, attributes, strings.array, strings.empty],
      path,
    );
    return processId.readInt32LE();
  } finally {
    done('posix_spawn_file_actions_destroy', [U8Array], [actions]);
    for (const copy of copies) close(copy);
    strings.free();
  }
}

function copyAbove(fd: number, least: number): number {
  return int('fcntl', [I32, I32, I32], [fd, F_DUPFD_CLOEXEC, least], `${fd}, F_DUPFD_CLOEXEC`);
}

/** A `char *[]` that ends with a null, and one that has nothing else, until they are freed. */
function cStrings(texts: readonly string[]): { array: bigint; empty: bigint; free: () => void } {
  const contents = texts.map((text) => Buffer.from(`${text}\0`));
  const arrayBytes = 8 * (texts.length + 1);
  const sizeBytes = contents.reduce((sum, { byteLength }) => sum + byteLength, arrayBytes);
  const array = mmap(0n, sizeBytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  const memory = bufferAt(array, sizeBytes);
  let at = arrayBytes;
  for (const [index, content] of contents.entries()) {
    memory.writeBigUInt64LE(array + BigInt(at), 8 * index);
    at += content.copy(memory, at);
  }
  return { array, empty: array + BigInt(arrayBytes - 8), free: () => munmap(array, sizeBytes) };
}

/** What a process has used in all, as the kernel counts it for who waits for it. */
export interface ProcessUse {
  readonly userUs: number;
  readonly systemUs: number;
  /** The most memory of it that was resident at a time. */
  readonly peakMemoryBytes: number;
}

/** Of all its threads, in user mode and in the kernel. */
export function cpuSecondsOf({ userUs, systemUs }: ProcessUse): number {
  return (userUs + systemUs) / 1e6;
}

/** How a process has ended, by one of the two, and what it has used. */
export interface EndedChild {
  readonly code: number | null;
  readonly signal: number | null;
  readonly use: ProcessUse;
}

/**
 * `pid_t wait4(pid_t pid, int *status, WNOHANG, struct rusage *)`: takes leave of a child that Node does not know.
 * @returns undefined while it lives.
 * @throws {LibcError} ECHILD when there is no such child.
 */
export function waitForChild(processId: number): EndedChild | undefined {
  const statusBytes = Buffer.alloc(4);
  const usage = Buffer.alloc(RUSAGE_BYTES);
  const types = [I32, U8Array, I32, U8Array];
  if (int('wait4', types, [processId, statusBytes, WNOHANG, usage], `${processId}, WNOHANG`) === 0)
    return undefined;
  // WIFSIGNALED, WTERMSIG and WEXITSTATUS.
  const status = statusBytes.readInt32LE();
  const signal = status & 0x7f;
  const use = {
    userUs: microseconds(usage, 0),
    systemUs: microseconds(usage, RUSAGE_SYSTEM_OFFSET),
    peakMemoryBytes: 1024 * Number(usage.readBigInt64LE(RUSAGE_PEAK_OFFSET)),
  };
  return { ...(signal === 0 ? { code: (status >> 8) & 0xff, signal: null } : { code: null, signal }), use };
}

/** A `struct timeval`. */
function microseconds(bytes: Buffer, offset: number): number {
  return 1e6 * Number(bytes.readBigInt64LE(offset)) + Number(bytes.readBigInt64LE(offset + 8));
}

/**
 * A `Buffer` over `sizeBytes` at `address`, not a copy. The memory must stay mapped as long as the `Buffer` can be
 * reached; ffi-rs never frees it.
 */
export function bufferAt(address: bigint, sizeBytes: number): Buffer {
  // An External comes only out of a call: copying nothing from the address to itself returns it.
  const external = symbol({
    library: LIBRARY,
    funcName: 'memcpy',
    retType: External,
    paramsType: [Word, Word, Word],
    paramsValue: [address, address, 0n],
  });
  // ffi-rs types the result of an External call as `never`.
  return createExternalBuffer(external, sizeBytes);
}

/** Closes a descriptor that is open. */
export function close(fd: number): void {
  closeSync(fd);
}

function int(funcName: string, paramsType: DataType[], paramsValue: unknown[], what: string): number {
  const { value, errnoCode } = symbol<DataType.I32, true>({
    library: LIBRARY,
    funcName,
    retType: I32,
    paramsType,
    paramsValue,
    errno: true,
  });
  if (value < 0) throw new LibcError(funcName, errnoCode, what);
  return value;
}

/** For functions that return an error's number, 0 for none. */
function done(funcName: string, paramsType: DataType[], paramsValue: unknown[], what = ''): void {
  const number = symbol({ library: LIBRARY, funcName, retType: I32, paramsType, paramsValue });
  if (number !== 0) throw new LibcError(funcName, number, what);
}

/** For functions that return a 64-bit integer or pointer, -1 on failure. */
function word(funcName: string, paramsType: DataType[], paramsValue: unknown[], what: string): bigint {
  const { value, errnoCode } = symbol<DataType.BigInt, true>({
    library: LIBRARY,
    funcName,
    retType: Word,
    paramsType,
    paramsValue,
    errno: true,
  });
  const result = value.valueOf();
  if (result === -1n) throw new LibcError(funcName, errnoCode, what);
  return result;
}
