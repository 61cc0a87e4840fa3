import { addrAdd, type ExecutorAddr } from '@farjit/protocol/executor-addr';
import { ArgumentError } from './callable.js';

const POINTER_BYTES = 8;

/** Arguments and environment of a program as they lie in memory: two arrays of pointers, each ended by null, and the strings. */
export interface ProgramMemory {
  readonly sizeBytes: number;
  readonly argumentCount: number;
  /** `char *[]` from the start on. */
  readonly argumentsOffset: number;
  readonly environmentOffset: number;
  /** What is there when it begins at an address. */
  contentAt(address: ExecutorAddr): Uint8Array;
}

/**
 * @param argv from the program's own name on; when it is empty the program has an empty name, as Linux gives one.
 * @throws {ArgumentError} for a string or name that C cannot hold.
 */
export function layOutProgram(argv: readonly string[], env: Readonly<Record<string, string>>): ProgramMemory {
  const given = argv.length > 0 ? argv : [''];
  const strings = [
    ...given.map((argument, index) => terminated(argument, `argv[${index}]`)),
    ...Object.entries(env).map(([name, value]) => terminated(variable(name, value), `env.${name}`)),
  ];
  const environmentOffset = POINTER_BYTES * (given.length + 1);
  const stringsOffset = POINTER_BYTES * (strings.length + 2);
  return {
    sizeBytes: strings.reduce((total, { byteLength }) => total + byteLength, stringsOffset),
    argumentCount: given.length,
    argumentsOffset: 0,
    environmentOffset,
    contentAt: (address) => {
      const pointers = new BigUint64Array(strings.length + 2);
      let offset = stringsOffset;
      strings.forEach((string, index) => {
        // Behind the arguments there is a null.
        pointers[index < given.length ? index : index + 1] = addrAdd(address, offset);
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

function terminated(text: string, what: string): Buffer {
  if (text.includes('\0')) throw new ArgumentError(`${what} contains a NUL`);
  return Buffer.from(`${text}\0`);
}
