import { FarJITError } from '@farjit/protocol/errors';
import { printable } from '@farjit/protocol/printable';

/** What the core calls its own: implementations, counters, entries, loops, what counts. */
const OWN_NAMES = /\$(impl|count|entry|loop)$|^farjit\$/;

/** LLVM makes code of its own for calls of these, whoever defines them. */
const INTRINSICS = /^llvm\./;

/**
 * @throws {FarJITError} `NAME` for a name that no function can have: calls of it would go elsewhere, or nowhere.
 */
export function checkDefinedName(name: string): void {
  checkCalledName(name);
  if (INTRINSICS.test(name)) throw refused(name, "LLVM's own");
}

/**
 * @throws {FarJITError} `NAME` for a name that no code can call.
 */
export function checkCalledName(name: string): void {
  if (OWN_NAMES.test(name)) throw refused(name, 'reserved for what is made of functions');
  if (name === '' || name.includes('\0') || !name.isWellFormed())
    throw refused(name, 'no name that an object can have');
}

function refused(name: string, why: string): FarJITError {
  return new FarJITError('NAME', `a function cannot be called "${printable(name)}": that is ${why}`);
}
