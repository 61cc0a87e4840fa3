import type { Abi } from './abi.js';
import { X86_64 } from './x86-64.js';

/** By Node's name of the architecture. */
const ABIS: Readonly<Record<string, Abi>> = { x64: X86_64 };

/**
 * Of the runners of this machine.
 * @throws {RangeError} where there are none.
 */
export function chooseAbi(architecture: string = process.arch): Abi {
  const abi = Object.hasOwn(ABIS, architecture) ? ABIS[architecture] : undefined;
  if (!abi)
    throw new RangeError(
      `there is no runner for the architecture ${architecture}, only for ${Object.keys(ABIS).join(', ')}`,
    );
  return abi;
}
