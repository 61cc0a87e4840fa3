import { execFileSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import type { Contender } from './contender.js';
import type { Command } from './measured-process.js';
import type { Peers } from './options.js';
import type { Program } from './programs.js';

const ROOT = new URL('../../', import.meta.url);
const FARJIT = fileURLToPath(new URL('packages/compiler/dist/launcher/farjit', ROOT));
const EXECUTOR = fileURLToPath(new URL('packages/executor/bin/farjit-executor.js', ROOT));

/** What runs when a user types `farjit`. */
export function farjitCommand(...args: readonly string[]): Command {
  return { program: FARJIT, args };
}

/** What runs when a user types `farjit-executor`. */
export function executorCommand(...args: readonly string[]): Command {
  return { program: process.execPath, args: [EXECUTOR, ...args] };
}

/** `farjit run`: three processes, from the first one's start to the last one's end. */
export function farjit(...flags: readonly string[]): Contender {
  return {
    title: 'FarJIT',
    description: `\`${['farjit run', ...flags.map(withoutPath), 'program.ks'].join(' ')}\``,
    command: ({ kaleidoscopePath }) => farjitCommand('run', ...flags, kaleidoscopePath),
    isRight: ({ exitCode, stdout }, program) => exitCode === 0 && printsValue(stdout, program),
  };
}

/** As a user runs it for the first time: nothing is kept from runs before. */
export function coldFarjit(...flags: readonly string[]): Contender {
  return farjit('--no-cache', ...flags);
}

/** Where a folder or socket is is nobody's business but this machine's. */
function withoutPath(flag: string): string {
  return flag.replace(/=.*\/.*/, '=…');
}

/** The least that `farjit` does. */
export const farjitVersion: Contender = {
  title: 'farjit --version',
  description: '`farjit --version`',
  command: () => farjitCommand('--version'),
  isRight: ({ exitCode, stdout }) => exitCode === 0 && /^\d+\.\d+\.\d+\n$/.test(stdout),
};

/** LLVM's own lazy JIT, in one process: `lli -jit-kind=orc-lazy` on the program as IR. */
export function lliLazy(peers: Peers): Contender | undefined {
  const path = peers.get('lli-22');
  if (path === undefined) return undefined;
  return {
    title: 'lli-22 orc-lazy',
    description: '`lli-22 -jit-kind=orc-lazy program.ll`: one process, no IR passes, code generation at -O2',
    command: ({ irPath }) => ({ program: path, args: ['-jit-kind=orc-lazy', irPath] }),
    isRight: ({ exitCode }) => exitCode === 0,
  };
}

/** LLVM compiling all of it before any of it runs, as fast as it can. */
export function lliEager(peers: Peers): Contender | undefined {
  const path = peers.get('lli-22');
  if (path === undefined) return undefined;
  return {
    title: 'lli-22 -O0',
    description: '`lli-22 -O0 program.ll`: one process, all of it compiled before it runs',
    command: ({ irPath }) => ({ program: path, args: ['-O0', irPath] }),
    isRight: ({ exitCode }) => exitCode === 0,
  };
}

/** Compiled before anything is measured. */
export function native(peers: Peers): Contender | undefined {
  const path = peers.get('clang-22');
  if (path === undefined) return undefined;
  return {
    title: 'native',
    description: 'the program that `clang-22 -O2 program.ll` has made before',
    command: ({ irPath }) => {
      const program = `${irPath}.out`;
      if (!existsSync(program))
        execFileSync(path, ['-O2', '-Wno-override-module', '-o', program, irPath], {
          stdio: ['ignore', 'ignore', 'inherit'],
        });
      return { program, args: [] };
    },
    isRight: ({ exitCode }) => exitCode === 0,
  };
}

/** Chapter 4's toy as LLVM 14 ships it; it reads standard input and prints what it compiles. */
export function toy(peers: Peers): Contender | undefined {
  const path = peers.get('toy-chapter-4');
  if (path === undefined) return undefined;
  return {
    title: 'toy, “Building a JIT” 4',
    description:
      'the tutorial’s `toy < program.ks` on LLVM 14, one process. For all its indirection it compiles a function ' +
      'before it runs',
    command: ({ kaleidoscopePath }) => ({ program: path, args: [], stdinPath: kaleidoscopePath }),
    isRight: ({ stderr }, program) => printsValue(stderr, program),
  };
}

/** What starting Node costs anybody. */
export const emptyNode: Contender = {
  title: 'node -e 0',
  description: '`node -e 0`',
  command: () => ({ program: process.execPath, args: ['-e', '0'] }),
  isRight: ({ exitCode }) => exitCode === 0,
};

function printsValue(output: string, { expected }: Program): boolean {
  return output.includes(`Evaluated to ${expected.toFixed(6)}\n`);
}
