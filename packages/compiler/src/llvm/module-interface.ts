import { isUtf8 } from 'node:buffer';
import { quoted } from '@farjit/protocol/printable';
import type { CallSignature, ScalarKind } from '../calls/call-signature.js';
import type { PassedPart, PassedParts } from '../calls/passed-parts.js';
import { type FunctionAliases, functionAliases } from '../core/function-aliases.js';
import { isVague, type SymbolFlags, type SymbolFlagsMap } from '../core/symbol-flags.js';
import { isSetSection } from '../jitlink/linker-sets.js';
import { localName } from '../jitlink/local-names.js';
import { CompileError } from './errors.js';

/** What a module defines for others, and what it wants of them. */
export interface ModuleInterface {
  readonly symbols: SymbolFlagsMap;
  /** Of the functions among them, those that have several names. */
  readonly aliases: FunctionAliases;
  /** Of functions; one whose types are not all scalars has none. */
  readonly signatures: ReadonlyMap<string, CallSignature>;
  /** Of functions that have none, where they have what they are passed; one of which that is not known has none either. */
  readonly passings: ReadonlyMap<string, PassedParts>;
  /** Functions and data that it declares, and others define. */
  readonly declares: ReadonlySet<string>;
  /** Those of them that it cannot do without: the others may be null. */
  readonly needs: ReadonlySet<string>;
  /** Those of them that LLVM knows by heart, and takes to be the C library's unless it is told that they are not. */
  readonly libraryFunctions: ReadonlySet<string>;
  /** Functions that it defines, for others or for itself, under names that LLVM knows by heart. */
  readonly ownLibraryFunctions: ReadonlySet<string>;
  /** Whether it has assembly of its own, which may define more: its object says what. */
  readonly hasAssembly: boolean;
  /** Thread-local variables that it defines, for others or for itself, or wants. */
  readonly threadLocals: ReadonlySet<string>;
  /** What in it lists functions to run at the start or the end of a program: variables, or sections that its assembly mentions. */
  readonly runLists: readonly string[];
  /** Linker sets that its variables are in. */
  readonly sections: ReadonlySet<string>;
  /** What it has that makes it be compiled as a whole, in words; undefined for one that can be compiled in pieces. */
  readonly whole: string | undefined;
  /** Functions that pieces of it may have, in its order, those that only it can name by their local names; of a whole one none. */
  readonly pieceFunctions: readonly string[];
}

/** `enum farjit_definition` of `codegen.h`. */
const DEFINITION = {
  data: 0,
  function: 1,
  callable: 2,
  elsewhere: 3,
  assembly: 4,
  threadLocal: 5,
  run: 6,
  section: 7,
  ownLibrary: 8,
  passing: 9,
  alias: 10,
  whole: 11,
  inPieces: 12,
} as const;

/** `enum farjit_place` of `codegen.h`. */
const PLACES: readonly PassedPart['place'][] = ['integer', 'sse', 'memory', 'result'];

/** `enum farjit_symbol_flags` of `codegen.h`. */
const FLAG = { weak: 1, common: 2, hidden: 4, library: 8, threadLocal: 16, vague: 32 } as const;
const ALL_FLAGS = FLAG.weak | FLAG.common | FLAG.hidden | FLAG.threadLocal | FLAG.vague;

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
  const symbols = new Map<string, SymbolFlags>();
  const signatures = new Map<string, CallSignature>();
  const passings = new Map<string, PassedParts>();
  const declares = new Set<string>();
  const needs = new Set<string>();
  const libraryFunctions = new Set<string>();
  const ownLibraryFunctions = new Set<string>();
  let hasAssembly = false;
  const threadLocals = new Set<string>();
  const runLists: string[] = [];
  const sections = new Set<string>();
  let whole: string | undefined;
  const pieceFunctions: string[] = [];
  const places = new Map<string, string[]>();
  let at = 0;
  const u8 = () => bytes.readUInt8(at++);
  const u32 = () => {
    at += 4;
    return bytes.readUInt32LE(at - 4);
  };
  const u64 = () => {
    at += 8;
    return bytes.readBigUInt64LE(at - 8);
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
  const parts = (): PassedPart[] => {
    const read: PassedPart[] = [];
    // A count that is too high ends at the end of the bytes.
    for (let count = u32(); count > 0; count--) {
      const place = PLACES[u8()];
      if (place === undefined) throw new RangeError(`no place at ${at - 1}`);
      read.push({ place, sizeBytes: Number(u64()) });
    }
    return read;
  };
  const flagsOf = (name: string, definition: number, bits: number): SymbolFlags => {
    if (definition > DEFINITION.callable) throw new RangeError(`no definition is of kind ${definition}`);
    if ((bits & ~ALL_FLAGS) !== 0) throw new RangeError(`no symbol has flags ${bits}`);
    const isCommon = (bits & FLAG.common) !== 0;
    const threadLocal = (bits & FLAG.threadLocal) !== 0;
    if (threadLocal && definition !== DEFINITION.data) throw new RangeError('no function is thread-local');
    const callable = definition !== DEFINITION.data;
    const scope = (bits & FLAG.hidden) !== 0 ? 'hidden' : 'exported';
    return {
      callable,
      linkage: isCommon ? 'common' : (bits & FLAG.weak) !== 0 ? 'weak' : 'strong',
      scope,
      threadLocal,
      vague: (bits & FLAG.vague) !== 0 && isVague(name, { callable, scope }),
      sizeBytes: isCommon ? Number(u64()) : 0,
    };
  };
  while (at < bytes.length) {
    const definition = u8();
    const bits = u8();
    const bytesOfName = take(u32());
    if (definition === DEFINITION.assembly) {
      hasAssembly = true;
      continue;
    }
    if (definition === DEFINITION.elsewhere) {
      if ((bits & ~(FLAG.library | FLAG.weak)) !== 0)
        throw new RangeError(`no declaration has flags ${bits}`);
      // One that is not UTF-8 is met when it is linked.
      if (!isUtf8(bytesOfName)) continue;
      const name = symbolOf(moduleName, bytesOfName);
      declares.add(name);
      if ((bits & FLAG.weak) === 0) needs.add(name);
      if ((bits & FLAG.library) !== 0) libraryFunctions.add(name);
      continue;
    }
    if (definition === DEFINITION.run) {
      runLists.push(bytesOfName.toString('utf8'));
      continue;
    }
    if (definition === DEFINITION.section) {
      const section = bytesOfName.toString('utf8');
      if (isSetSection(section)) sections.add(section);
      continue;
    }
    if (definition === DEFINITION.whole) {
      whole = bytesOfName.toString('utf8');
      continue;
    }
    if (definition === DEFINITION.inPieces) {
      if ((bits & ~FLAG.hidden) !== 0) throw new RangeError(`no function of pieces has flags ${bits}`);
      // One that is not UTF-8 comes when it is asked for.
      if (!isUtf8(bytesOfName)) continue;
      const name = symbolOf(moduleName, bytesOfName);
      pieceFunctions.push((bits & FLAG.hidden) !== 0 ? localName(name, 'function') : name);
      continue;
    }
    const name = symbolOf(moduleName, bytesOfName);
    if (definition === DEFINITION.passing) {
      passings.set(name, { result: parts(), parameters: parts() });
      continue;
    }
    if (definition === DEFINITION.alias) {
      const aliased = take(u32());
      const place = aliased.toString('latin1');
      const others = places.get(place);
      if (others) others.push(name);
      // A function that only its module can name may have a name that is none here.
      else places.set(place, isUtf8(aliased) ? [symbolOf(moduleName, aliased), name] : [name]);
      continue;
    }
    if (definition === DEFINITION.ownLibrary) {
      ownLibraryFunctions.add(name);
      continue;
    }
    if (definition === DEFINITION.threadLocal || (bits & FLAG.threadLocal) !== 0) threadLocals.add(name);
    if (definition === DEFINITION.threadLocal) continue;
    symbols.set(name, flagsOf(name, definition, bits));
    if (definition === DEFINITION.callable) signatures.set(name, signature());
  }
  return {
    symbols,
    aliases: functionAliases(places.values(), symbols),
    signatures,
    passings,
    declares,
    needs,
    libraryFunctions,
    ownLibraryFunctions,
    hasAssembly,
    threadLocals,
    runLists,
    sections,
    whole,
    pieceFunctions,
  };
}

/** The symbol that a name in LLVM becomes: a leading `\1` says that nothing is to be added to it, and is no part of it. */
function symbolOf(moduleName: string, name: Buffer): string {
  const symbol = name[0] === 1 ? name.subarray(1) : name;
  if (isUtf8(symbol)) return symbol.toString('utf8');
  // Names are texts from here on, and two of these could become one.
  const words = `${quoted(symbol.toString('latin1'))} is not UTF-8, as names have to be`;
  throw new CompileError(moduleName, `Cannot use module ${moduleName}: the name ${words}`);
}
