import test from 'ava';
import { JITDylib } from '../../src/core/jit-dylib.js';
import { MaterializationUnit } from '../../src/core/materialization-unit.js';
import { strongSymbols } from '../../src/core/symbol-flags.js';

function unit(
  name: string,
  functions: readonly string[],
  rest: { data?: readonly string[]; callees?: readonly string[] } = {},
): MaterializationUnit {
  const source = {
    kind: 'function' as const,
    materialize: () => Promise.reject(new Error('no')),
  };
  const { data = [], callees = [] } = rest;
  return new MaterializationUnit(
    name,
    source,
    strongSymbols(functions, data),
    callees.map((callee) => ({ callee, isCertain: true })),
  );
}

/** In which every definition replaces the former one. */
const newDylib = () => new JITDylib('main', { mayReplace: () => true, isPlaced: () => false });

test('a unit is found under all names it defines, functions and data', (t) => {
  const dylib = newDylib();
  const module = unit('m', ['f', 'g'], { data: ['d'] });
  t.deepEqual([...dylib.define(module)], []);
  for (const name of ['f', 'g', 'd']) t.is(dylib.find(name), module);
  t.is(dylib.find('m'), undefined);
  t.deepEqual(dylib.currentNames(module), ['f', 'g', 'd']);
  t.deepEqual(
    [...dylib.entries()].map(([name]) => name),
    ['f', 'g', 'd'],
  );
});

test('a definition takes its names from earlier ones, which keep the others', (t) => {
  const dylib = newDylib();
  const module = unit('m', ['f', 'g']);
  const other = unit('n', ['h']);
  dylib.define(module);
  dylib.define(other);
  const replacement = unit('r', ['g', 'h']);
  t.deepEqual([...dylib.define(replacement)], [module, other]);
  t.is(dylib.find('f'), module);
  t.is(dylib.find('g'), replacement);
  t.deepEqual(dylib.currentNames(module), ['f']);
  t.deepEqual(dylib.currentNames(other), []);
});

test('removing takes away only what a unit still defines', (t) => {
  const dylib = newDylib();
  const module = unit('m', ['f', 'g']);
  const replacement = unit('r', ['g']);
  dylib.define(module);
  dylib.define(replacement);
  t.deepEqual(dylib.remove(module), ['f']);
  t.is(dylib.find('f'), undefined);
  t.is(dylib.find('g'), replacement);
  t.deepEqual(dylib.remove(module), []);
  t.deepEqual(dylib.remove(replacement), ['g']);
  t.deepEqual([...dylib.entries()], []);
});
