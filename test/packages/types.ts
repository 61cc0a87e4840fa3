// Imports what the packages export, so that a compiler looks at all their types.

import * as compiler from '@farjit/compiler';
import * as executor from '@farjit/executor';
import * as protocol from '@farjit/protocol';
import * as limits from '@farjit/protocol/limits';
import * as farjit from 'farjit';

export const exported = [farjit, compiler, executor, protocol, limits].map((names) => Object.keys(names));

/** A module of llvm-bindings, which need not be installed. */
export const add = (jit: farjit.JIT, module: farjit.BuiltModule) => jit.addModule(module);

/** A callable is typed by the words of its signature. */
export const typed = async (jit: farjit.JIT): Promise<(a: number, b: number) => Promise<number>> =>
  jit.lookup('add', 'i32(i32, i32)');

/** What has a life ends with its scope, and aborting is an error of the platform's name. */
export const disposable = async (pool: farjit.JITPool, signal: AbortSignal): Promise<AsyncDisposable[]> => {
  const tracker = await pool.addIR('', { name: 'empty' });
  const jit = await farjit.JIT.create({ executor: { url: 'ws+unix:/none', signal } });
  return [tracker, jit, pool];
};
