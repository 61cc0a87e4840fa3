import { execFileSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { buildLinkGraph } from '../../../../src/jitlink/elf/elf.js';
import type { Block } from '../../../../src/jitlink/link-graph.js';

/** Every `llvm-mc` of an LLVM that is supported: those of Debian's packages, of which set-up installs one. */
export const LLVM_MCS: readonly string[] = ['14', '22']
  .map((version) => `/usr/lib/llvm-${version}/bin/llvm-mc`)
  .filter(existsSync);

/** Assembles x86-64 AT&T source. */
export function assembledObject(llvmMC: string, source: string): Uint8Array {
  const args = ['-triple=x86_64-unknown-linux-gnu', '-filetype=obj', '-o', '-'];
  return new Uint8Array(execFileSync(llvmMC, args, { input: source }));
}

/** The same, in one section: its bytes, and what they refer to. */
export function assembledBy(llvmMC: string, source: string): Block {
  const graph = buildLinkGraph(assembledObject(llvmMC, source), 'assembled');
  const block = graph.findSection('.text')?.blocks[0];
  if (!block) throw new Error(`${llvmMC} has made no code`);
  return block;
}
