import { isUtf8 } from 'node:buffer';
import { quoted } from '@farjit/protocol/printable';
import type { CallSignature, ScalarKind } from '../kaleidoscope/call-signature.js';
import { CompileError } from './errors.js';

/** What a module defines for others, and what it wants of them. */
export interface ModuleInterface {
  /** Functions by name; the signature is undefined when it is not one of scalars alone. */
  readonly functions: ReadonlyMap<string, CallSignature | undefined>;
  readonly data: ReadonlySet<string>;
  /** Functions that it declares, and others define. */
  readonly declares: ReadonlySet<string>;
}

/** `enum farjit_definition` of `codegen.h`. */
const DEFINITION = { data: 0, function: 1, callable: 2, elsewhere: 3 } as const;

/** `enum farjit_scalar` of `codegen.h`. */
const SCALARS: readonly (ScalarKind | 'void')[] = [
  'void',
  'double',
  'float',
  'i1',
  'i8',
  'i16',
  'i32',
  'i64',
  'ptr',
];

/**
 * Reads an interface as the code generator writes it, out of a process that has read what may be hostile bitcode.
 * @throws {RangeError} for bytes that are none.
 * @throws {CompileError} for a name that is not UTF-8.
 */
export function decodeModuleInterface(moduleName: string, bytes: Buffer): ModuleInterface {
  const functions = new Map<string, CallSignature | undefined>();
  const data = new Set<string>();
  const declares = new Set<string>();
  let at = 0;
  const u8 = () => bytes.readUInt8(at++);
  const u32 = () => {
    at += 4;
    return bytes.readUInt32LE(at - 4);
  };
  const take = (length: number) => {
    if (length > bytes.length - at) throw new RangeError(`${length} bytes at ${at} of ${bytes.length}`);
    at += length;
    return bytes.subarray(at - length, at);
  };
  const scalar = () => {
    const kind = SCALARS[u8()];
    if (kind === undefined) throw new RangeError(`no scalar at ${at - 1}`);
    return kind;
  };
  const signature = (): CallSignature => {
    const count = u32();
    const result = scalar();
    // One byte each: a count that is too high ends at the end of the bytes.
    const parameters: ScalarKind[] = [];
    for (let i = 0; i < count; i++) {
      const kind = scalar();
      if (kind === 'void') throw new RangeError(`a void parameter at ${at - 1}`);
      parameters.push(kind);
    }
    return { result, parameters };
  };
  while (at < bytes.length) {
    const definition = u8();
    const bytesOfName = take(u32());
    if (definition === DEFINITION.elsewhere) {
      // One that is not UTF-8 is met when it is linked.
      if (isUtf8(bytesOfName)) declares.add(symbolOf(moduleName, bytesOfName));
      continue;
    }
    const name = symbolOf(moduleName, bytesOfName);
    if (definition === DEFINITION.data) data.add(name);
    else if (definition === DEFINITION.function) functions.set(name, undefined);
    else if (definition === DEFINITION.callable) functions.set(name, signature());
    else throw new RangeError(`no definition is of kind ${definition}`);
  }
  return { functions, data, declares };
}

/** The symbol that a name in LLVM becomes: a leading `\1` says that nothing is to be added to it, and is no part of it. */
function symbolOf(moduleName: string, name: Buffer): string {
  const symbol = name[0] === 1 ? name.subarray(1) : name;
  if (isUtf8(symbol)) return symbol.toString('utf8');
  // Names are texts from here on, and two of these could become one.
  const words = `${quoted(symbol.toString('latin1'))} is not UTF-8, as names have to be`;
  throw new CompileError(moduleName, `Cannot use module ${moduleName}: the name ${words}`);
}
