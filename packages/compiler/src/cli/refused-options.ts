import type { Command } from 'commander';
import { accessOptions } from './command-options.js';
import type { ProgramFile, ProgramKind } from './program-inputs.js';

/** Says that an option would be ignored, and why: ends the command if it is given. */
export type RefuseOption = (name: string, words: string) => void;

/**
 * What ends a command over an option that would say nothing with the others: it is a mistake. A variable may be there for other
 * commands.
 */
export function refusalOf(command: Command): RefuseOption {
  return (name, words) => {
    const option = command.options.find((one) => one.attributeName() === name);
    if (option && command.getOptionValueSource(name) === 'cli')
      command.error(`error: option '${option.flags}' ${words}`);
  };
}

/** Refuses what other options make useless, whatever the files are. */
export function refuseUnusedOptions(command: Command): void {
  const refuse = refusalOf(command);
  const {
    executor,
    tlsCert,
    tlsKey,
    library,
    speculate,
    eager,
    optLevel,
    record,
    objectStore,
    objectStoreKey,
  } = command.opts<Record<string, unknown>>();
  refuseUnusedAccess(executor, refuse);
  if (tlsKey === undefined) refuse('tlsCert', 'goes with --tls-key');
  if (tlsCert === undefined) refuse('tlsKey', 'goes with --tls-cert');
  if (record === undefined) refuse('recordPasses', 'goes with --record');
  if (library === undefined) refuse('libraryPath', 'says where --library is: give that');
  if (objectStoreKey === undefined)
    refuse('objectStore', 'needs --object-store-key: a file of 32 characters or more (openssl rand -hex 32)');
  if (objectStore === undefined) refuse('objectStoreKey', 'goes with --object-store');
  if (objectStore === 'executor' && executor === undefined)
    refuse('objectStore', 'finds nothing at an executor of its own: give --executor, or a directory');
  if (speculate === 'off') refuse('speculateOrder', 'has guesses in it, and --speculate=off makes none');
  if (optLevel !== undefined) refuse('baseline', 'makes first code, and -O leaves all of it to LLVM');
  if (eager !== undefined)
    refuse('speculate', 'has nothing to guess: with --eager all is compiled before the program begins');
}

function refuseUnusedAccess(executor: unknown, refuse: RefuseOption): void {
  if (executor === undefined) {
    const words = 'is for an executor elsewhere: give --executor';
    for (const option of accessOptions()) refuse(option.attributeName(), words);
    return;
  }
  const isAnyAt = (scheme: string) => [executor].flat().some((url) => String(url).startsWith(scheme));
  if (!isAnyAt('wss:'))
    for (const name of ['tlsCa', 'tlsCert', 'tlsKey']) refuse(name, 'is for an executor at wss://');
  if (!isAnyAt('ws+unix:')) refuse('executorOwner', 'is for an executor at ws+unix:');
}

/** Kinds of files that clang compiles. */
const SOURCES: ReadonlySet<ProgramKind> = new Set(['c', 'c++', 'assembler', 'assembler-with-cpp']);
/** Kinds of files in which nothing is left to compile. */
const COMPILED: ReadonlySet<ProgramKind> = new Set(['object', 'archive']);

/** Refuses what is useless for the files that a command is given. */
export function refuseUnusedForFiles(
  linked: readonly ProgramFile[],
  hasKaleidoscope: boolean,
  refuse: RefuseOption,
): void {
  if (!linked.some(({ kind }) => SOURCES.has(kind)))
    for (const name of ['cc', 'cflags']) refuse(name, 'is for C and C++, and no file is');
  if (linked.length === 0) refuse('library', FOR_MAIN);
  if (hasKaleidoscope) {
    for (const name of ['env', 'entry', 'file', 'dir', 'eager', 'report']) refuse(name, FOR_MAIN);
    return;
  }
  for (const name of ['speculateOrder', 'recordCalls', 'baseline', 'print'])
    refuse(name, 'is for Kaleidoscope, and no file is');
  if (linked.every(({ kind }) => COMPILED.has(kind)))
    for (const name of ['optLevel', 'codegenProcesses', 'codegenLimit', 'cacheDir', 'objectStore'])
      refuse(name, 'is for what has to be compiled, and all files have been');
}

const FOR_MAIN = 'is for programs that begin with main, and this one is Kaleidoscope';
