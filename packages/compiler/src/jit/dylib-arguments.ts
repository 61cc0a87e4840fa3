import * as v from 'valibot';
import { PROGRAM_OPTION_SCHEMAS } from '../calls/call-arguments.js';
import { ArgumentError } from '../core/argument-error.js';
import {
  abortSignal,
  anyFunction,
  bytes,
  checkArgument,
  executorAddr,
  flag,
  is,
  isBytes,
  listOf,
  nameText,
  objectWith,
  oneOf,
  optionsOf,
  text,
  textWithoutNul,
} from '../core/arguments.js';
import { type InputKind, inputKindOf } from '../frontends/llvm/input-kind.js';
import type {
  AddCOptions,
  AddOptions,
  ArchiveOptions,
  EntryOptions,
  ObjectOptions,
  ProgramSelection,
  RunOptions,
} from './dylib-types.js';

const ADD_OPTIONS = optionsOf<AddOptions>({ name: nameText });
const OBJECT_OPTIONS = optionsOf<ObjectOptions>({
  name: nameText,
  signatures: v.pipe(is(isObject, 'an object with words for names'), v.record(v.string(), text)),
});
const ARCHIVE_OPTIONS = optionsOf<ArchiveOptions>({ name: nameText, directory: textWithoutNul });
const ADD_C_OPTIONS = optionsOf<AddCOptions>({
  name: nameText,
  language: oneOf(['c', 'c++', 'assembler', 'assembler-with-cpp']),
  flags: listOf(textWithoutNul, 'an array of options of clang'),
  directory: textWithoutNul,
  cc: textWithoutNul,
  signal: abortSignal,
  onWarnings: anyFunction,
});
const { eager: _, ...RUN_OPTION_SCHEMAS } = PROGRAM_OPTION_SCHEMAS;
const RUN_OPTIONS = optionsOf<RunOptions>(RUN_OPTION_SCHEMAS);
const PROGRAM_SELECTION = optionsOf<ProgramSelection>({ entry: nameText });
const ENTRY_OPTIONS = optionsOf<EntryOptions>({ ...PROGRAM_OPTION_SCHEMAS, entry: nameText });

const cSource = is((value) => typeof value === 'string' || isBytes(value), 'a text, or its bytes');
const ir = is((value) => typeof value === 'string' || isBytes(value), 'LLVM assembly, or bitcode');
const builtModule = objectWith(['getModuleIdentifier'], 'a Module of llvm-bindings');
const readModule = is(
  (value) => isObject(value) && typeof value.name === 'string' && isObject(value.defines),
  'a module that has been read and verified',
);
const SIGNATURE = 'in words, or as an object';
const definedNames = is(isObject, 'an object with the names as keys');
const absolute = v.union(
  [executorAddr, v.strictObject({ address: executorAddr, callable: flag })],
  'an address (a bigint of 64 bits, without sign), or an object with "address" and "callable"',
);
const hostFunction = v.strictObject(
  { signature: is((value) => typeof value === 'string' || isObject(value), SIGNATURE), call: anyFunction },
  `an object with "signature" (${SIGNATURE}) and "call", a function`,
);

/** What takes bytes of each kind. */
const TAKEN_BY: Readonly<Record<InputKind, string>> = {
  bitcode: 'bitcode: addIR takes it',
  object: 'an ELF object: addObject takes it',
  archive: 'an archive: addArchive takes it',
};

// Each throws an ArgumentError for what its method does not take.

export function checkAddModule(module: unknown): void {
  checkArgument(builtModule, module, 'module');
}

export function checkAddIR(content: unknown, options: AddOptions): void {
  checkArgument(ir, content, 'content');
  if (typeof content !== 'string') refuseKinds(content as Uint8Array, ['object', 'archive']);
  checkArgument(ADD_OPTIONS, options, 'options');
}

export function checkAddObject(content: Uint8Array, options: ObjectOptions): void {
  checkArgument(bytes, content, 'content');
  refuseKinds(content, ['archive']);
  checkArgument(OBJECT_OPTIONS, options, 'options');
}

export function checkAddArchive(content: Uint8Array, options: ArchiveOptions): void {
  checkArgument(bytes, content, 'content');
  refuseKinds(content, ['bitcode', 'object']);
  checkArgument(ARCHIVE_OPTIONS, options, 'options');
}

export function checkAddC(source: string | Uint8Array, options: AddCOptions): void {
  checkArgument(cSource, source, 'source');
  checkArgument(ADD_C_OPTIONS, options, 'options');
}

export function checkVerifiedModule(module: unknown): void {
  checkArgument(readModule, module, 'module');
}

export function checkProgramSelection(options: ProgramSelection): void {
  checkArgument(PROGRAM_SELECTION, options, 'options');
}

export function checkRunOptions(options: RunOptions): void {
  checkArgument(RUN_OPTIONS, options, 'options');
}

export function checkEntryOptions(options: EntryOptions): void {
  checkArgument(ENTRY_OPTIONS, options, 'options');
}

export function checkAbsolute(symbols: unknown): void {
  checkNames(symbols, 'symbols', absolute);
}

export function checkHostFunctions(functions: unknown): void {
  checkNames(functions, 'functions', hostFunction);
}

/** @param isOurs whether a value is a dylib of the same JIT. */
export function checkReexports(names: unknown, isOurs: (value: unknown) => boolean): void {
  const target = v.union(
    [nameText, v.strictObject({ dylib: is(isOurs, ''), name: nameText })],
    'a name, or an object with "dylib", a dylib of the same JIT, and "name"',
  );
  checkNames(names, 'names', target);
}

/** @param isOurs whether a value is a dylib of the same JIT. */
export function checkDylib(other: unknown, isOurs: (value: unknown) => boolean): void {
  checkArgument(is(isOurs, 'a dylib of the same JIT'), other, 'other');
}

function checkNames(given: unknown, argument: string, meaning: v.GenericSchema): void {
  checkArgument(definedNames, given, argument);
  for (const [key, value] of Object.entries(given as object)) {
    checkArgument(nameText, key, `a name of ${argument}`);
    checkArgument(meaning, value, `${argument}.${key}`);
  }
}

function refuseKinds(content: Uint8Array, refused: readonly InputKind[]): void {
  const kind = inputKindOf(content);
  if (kind && refused.includes(kind)) throw new ArgumentError(`content is ${TAKEN_BY[kind]}`);
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null;
}
