import { closeSync, constants, fstatSync, openSync, readSync } from 'node:fs';
import { tmpdir } from 'node:os';
import type llvm from 'llvm-bindings';
import { BitcodeError } from './errors.js';
import { loadBindings } from './llvm-bindings.js';

/** `O_TMPFILE | O_DIRECTORY` of `<fcntl.h>`, which Node has no name for: a file without a name. */
const O_TMPFILE = 0o20000000 | constants.O_DIRECTORY;
/** Memory first. */
const FOLDERS = ['/dev/shm', tmpdir()];

/**
 * A module built with llvm-bindings: its `Module`, as far as it is looked at. Without that package, which is installed by those
 * who build modules with it, this is still a type.
 */
export interface BuiltModule {
  getModuleIdentifier(): string;
}

/**
 * A module built with llvm-bindings as bitcode, which every libLLVM from 14 on reads.
 *
 * llvm-bindings writes to a path only; the path leads to a file without a name, so nothing is left behind however the
 * process ends.
 * @throws {BitcodeError} when no such file can be made or written.
 */
export function writeBitcode(module: BuiltModule): Uint8Array {
  const name = module.getModuleIdentifier();
  const fd = openUnnamed(name);
  try {
    loadBindings().WriteBitcodeToFile(module as llvm.Module, `/proc/self/fd/${fd}`);
    return readAll(fd, name);
  } catch (cause) {
    if (cause instanceof BitcodeError) throw cause;
    throw cannotWrite(name, cause);
  } finally {
    closeSync(fd);
  }
}

function openUnnamed(name: string): number {
  let failure: unknown;
  for (const folder of FOLDERS) {
    try {
      return openSync(folder, O_TMPFILE | constants.O_RDWR, 0o600);
    } catch (error) {
      failure = error;
    }
  }
  throw cannotWrite(name, failure);
}

function cannotWrite(name: string, cause: unknown): BitcodeError {
  const reason = cause instanceof Error ? cause.message : String(cause);
  return new BitcodeError(name, `Cannot write the bitcode of module ${name}: ${reason}`, { cause });
}

function readAll(fd: number, name: string): Uint8Array {
  const bytes = Buffer.allocUnsafeSlow(fstatSync(fd).size);
  const length = readSync(fd, bytes, 0, bytes.length, 0);
  if (length === 0 || length !== bytes.length)
    throw new BitcodeError(name, `Cannot write the bitcode of module ${name}: read ${length} of its bytes.`);
  return bytes;
}
