import { readSync, writeSync } from 'node:fs';
import test from 'ava';
import {
  addSeals,
  bufferAt,
  close,
  F_SEAL_GROW,
  futexWake,
  LibcError,
  MAP_ANONYMOUS,
  MAP_PRIVATE,
  memfdCreate,
  mmap,
  munmap,
  PROT_READ,
  PROT_WRITE,
  pipe,
  setNonBlocking,
} from '../../src/native/libc.js';

test('a failing call names the C function and the error', (t) => {
  const error = t.throws(() => addSeals(-1, F_SEAL_GROW), { instanceOf: LibcError });
  t.is(error?.call, 'fcntl');
  t.is(error?.errnoName, 'EBADF');
  t.is(error?.message, 'fcntl(-1, F_ADD_SEALS) failed: EBADF');
});

test('mmap reports failure instead of answering an address', (t) => {
  const error = t.throws(() => mmap(0n, 0, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0), {
    instanceOf: LibcError,
  });
  t.is(error?.errnoName, 'EINVAL');
});

test('a buffer over an address is the memory itself', (t) => {
  const address = mmap(0n, 8192, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  const buffer = bufferAt(address, 4096);
  const same = bufferAt(address + 8n, 8);
  buffer.writeDoubleLE(0.5, 8);
  t.is(same.readDoubleLE(), 0.5);
  munmap(address + 4096n, 4096);
});

test('waking a futex nobody waits for wakes nobody', (t) => {
  const address = mmap(0n, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  t.is(futexWake(address, 1), 0);
  t.throws(() => futexWake(address + 1n, 1), { instanceOf: LibcError, message: /EINVAL/ });
});

test('a pipe that does not block answers EAGAIN when it is empty', (t) => {
  const { readFd, writeFd } = pipe();
  setNonBlocking(readFd);
  const buffer = Buffer.alloc(16);
  t.throws(() => readSync(readFd, buffer), { code: 'EAGAIN' });
  writeSync(writeFd, 'abc');
  t.is(readSync(readFd, buffer), 3);
  close(readFd);
  close(writeFd);
});

test('seals can be added to a memfd', (t) => {
  const fd = memfdCreate('farjit-test');
  t.notThrows(() => addSeals(fd, F_SEAL_GROW));
  t.throws(() => writeSync(fd, 'x'), { code: 'EPERM' });
  close(fd);
});
