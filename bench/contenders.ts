import { fileURLToPath } from 'node:url';
import type { Contender } from './contender.js';
import type { Peers } from './options.js';
import type { Program } from './programs.js';

const FARJIT = fileURLToPath(new URL('../../packages/compiler/bin/farjit.js', import.meta.url));

/** `farjit run`: three processes, from Node's start to the last one's end. */
export function farjit(...flags: readonly string[]): Contender {
  return {
    id: ['farjit', ...flags].join(' '),
    title: ['FarJIT', ...flags].join(' '),
    description: `\`${['farjit', 'run', ...flags, 'program.ks'].join(' ')}\``,
    command: ({ kaleidoscopePath }) => ({
      program: process.execPath,
      args: [FARJIT, 'run', ...flags, kaleidoscopePath],
    }),
    isRight: ({ exitCode, stdout }, program) => exitCode === 0 && printsValue(stdout, program),
  };
}

/** LLVM's own lazy JIT, in one process: `lli -jit-kind=orc-lazy` on the program as IR. */
export function lliLazy(peers: Peers, major: number): Contender | undefined {
  const path = peers.get(`lli-${major}`);
  if (path === undefined) return undefined;
  return {
    id: `lli-${major}-orc-lazy`,
    title: `lli-${major} orc-lazy`,
    description: `\`lli-${major} -jit-kind=orc-lazy program.ll\`: one process, no IR passes, code generation at -O2`,
    command: ({ irPath }) => ({ program: path, args: ['-jit-kind=orc-lazy', irPath] }),
    isRight: ({ exitCode }) => exitCode === 0,
  };
}

/** The tutorial's toys as LLVM 14 ships them; they read standard input and print what they compile. */
export function toys(peers: Peers): Contender[] {
  const chapters = [
    { peer: 'toy-chapter-4', title: 'toy, “Building a JIT” 4' },
    { peer: 'toy-chapter-7', title: 'toy, Kaleidoscope 7' },
  ];
  return chapters.flatMap(({ peer, title }) => {
    const path = peers.get(peer);
    if (path === undefined) return [];
    return {
      id: peer,
      title,
      description: `the tutorial's \`toy < program.ks\` on LLVM 14, one process`,
      command: ({ kaleidoscopePath }) => ({ program: path, args: [], stdinPath: kaleidoscopePath }),
      isRight: ({ stderr }, program) => printsValue(stderr, program),
    };
  });
}

function printsValue(output: string, { expected }: Program): boolean {
  return output.includes(`Evaluated to ${expected.toFixed(6)}\n`);
}
