import { addrAdd, type ExecutorAddr, NULL_ADDR } from '@farjit/protocol/executor-addr';
import { ArgumentError } from '../core/argument-error.js';
import { cString } from './c-string.js';

const POINTER_BYTES = 8;

/** Arguments and environment of a program as they lie in memory: two arrays of pointers, each ended by null, and the strings. */
export interface ProgramMemory {
  readonly sizeBytes: number;
  readonly argumentCount: number;
  /** `char *[]`; in front of it there is a word for whoever begins the program. */
  readonly argumentsOffset: number;
  readonly environmentOffset: number;
  /**
   * What is there when it begins at an address.
   * @param lead the word in front.
   */
  contentAt(address: ExecutorAddr, lead?: ExecutorAddr): Uint8Array;
}

/**
 * @param argv from the program's own name on; when it is empty the program has an empty name, as Linux gives one.
 * @throws {ArgumentError} for a string or name that C cannot hold.
 */
export function layOutProgram(
  argv: readonly (string | Uint8Array)[],
  env: Readonly<Record<string, string>>,
): ProgramMemory {
  const given = argv.length > 0 ? argv : [''];
  const strings = [
    ...given.map((argument, index) => cString(argument, `argv[${index}]`)),
    ...Object.entries(env).map(([name, value]) => cString(variable(name, value), `env.${name}`)),
  ];
  const argumentsOffset = POINTER_BYTES;
  const environmentOffset = argumentsOffset + POINTER_BYTES * (given.length + 1);
  const stringsOffset = argumentsOffset + POINTER_BYTES * (strings.length + 2);
  return {
    sizeBytes: strings.reduce((total, { byteLength }) => total + byteLength, stringsOffset),
    argumentCount: given.length,
    argumentsOffset,
    environmentOffset,
    contentAt: (address, lead = NULL_ADDR) => {
      const pointers = new BigUint64Array(1 + strings.length + 2);
      pointers[0] = lead;
      let offset = stringsOffset;
      strings.forEach((string, index) => {
        // Behind the arguments there is a null.
        pointers[1 + (index < given.length ? index : index + 1)] = addrAdd(address, offset);
        offset += string.byteLength;
      });
      return Buffer.concat([new Uint8Array(pointers.buffer), ...strings]);
    },
  };
}

function variable(name: string, value: string): string {
  if (name === '' || name.includes('='))
    throw new ArgumentError(`env has "${name}", which is no variable's name`);
  return `${name}=${value}`;
}
