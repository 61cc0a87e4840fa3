import { closeSync, fstatSync, readSync } from 'node:fs';
import llvm from 'llvm-bindings';
import { BitcodeError } from './errors.js';
import { type LibC, loadLibC } from './libc.js';

/** `MFD_CLOEXEC`: a runner spawned meanwhile must not inherit the descriptor. */
const MFD_CLOEXEC = 0x1;

/**
 * A module built with llvm-bindings as bitcode, which every libLLVM from 14 on reads.
 *
 * llvm-bindings writes to a path only; the path leads to an anonymous file, so nothing is left behind however the
 * process ends.
 * @throws {BitcodeError} when the anonymous file cannot be made or written.
 */
export function writeBitcode(module: llvm.Module, libc: LibC = loadLibC()): Uint8Array {
  const name = module.getModuleIdentifier();
  const fd = libc.memfd_create('farjit-bitcode', MFD_CLOEXEC);
  if (fd < 0)
    throw new BitcodeError(name, `Cannot write the bitcode of module ${name}: memfd_create failed.`);
  try {
    llvm.WriteBitcodeToFile(module, `/proc/self/fd/${fd}`);
    return readAll(fd, name);
  } catch (cause) {
    if (cause instanceof BitcodeError) throw cause;
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw new BitcodeError(name, `Cannot write the bitcode of module ${name}: ${reason}`, { cause });
  } finally {
    closeSync(fd);
  }
}

function readAll(fd: number, name: string): Uint8Array {
  const bytes = Buffer.allocUnsafeSlow(fstatSync(fd).size);
  const length = readSync(fd, bytes, 0, bytes.length, 0);
  if (length === 0 || length !== bytes.length)
    throw new BitcodeError(name, `Cannot write the bitcode of module ${name}: read ${length} of its bytes.`);
  return bytes;
}
