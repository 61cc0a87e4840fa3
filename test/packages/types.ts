// Imports what the packages export, so that a compiler looks at all their types.

import * as compiler from '@farjit/compiler';
import * as executor from '@farjit/executor';
import * as protocol from '@farjit/protocol';
import * as limits from '@farjit/protocol/limits';
import * as farjit from 'farjit';

export const exported = [farjit, compiler, executor, protocol, limits].map((names) => Object.keys(names));

/** A module of llvm-bindings, which need not be installed. */
export const add = (jit: farjit.JIT, module: farjit.BuiltModule) => jit.addModule(module);
