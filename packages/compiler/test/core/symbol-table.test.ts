import test from 'ava';
import { arbitrate, DATA, FUNCTION, type SymbolFlags } from '../../src/core/symbol-flags.js';
import { type Definer, SymbolTable } from '../../src/core/symbol-table.js';
import { LinkError } from '../../src/jitlink/errors.js';

const WEAK: SymbolFlags = { ...FUNCTION, linkage: 'weak' };
const WEAK_DATA: SymbolFlags = { ...DATA, linkage: 'weak' };
const common = (sizeBytes: number): SymbolFlags => ({ ...DATA, linkage: 'common', sizeBytes });

interface Module extends Definer {
  readonly replaces: boolean;
}

function newTable(placed: ReadonlySet<string> = new Set()): SymbolTable<Module> {
  return new SymbolTable<Module>({
    mayReplace: ({ replaces }) => replaces,
    isPlaced: (_, name) => placed.has(name),
  });
}

function module(name: string, symbols: Record<string, SymbolFlags>, replaces = false): Module {
  return { name, symbols: new Map(Object.entries(symbols)), replaces };
}

test('strong comes before common before weak, the larger common first, else the one that was there', (t) => {
  t.is(arbitrate(WEAK, WEAK), 'first');
  t.is(arbitrate(WEAK, FUNCTION), 'second');
  t.is(arbitrate(FUNCTION, WEAK), 'first');
  t.is(arbitrate(common(4), common(4)), 'first');
  t.is(arbitrate(common(4), common(8)), 'second');
  t.is(arbitrate(common(8), common(4)), 'first');
  t.is(arbitrate(common(8), WEAK_DATA), 'first');
  t.is(arbitrate(WEAK_DATA, common(1)), 'second');
  t.is(arbitrate(common(8), DATA), 'second');
  t.is(arbitrate(DATA, common(8)), 'first');
  t.is(arbitrate(FUNCTION, FUNCTION), 'duplicate');
  t.is(arbitrate(WEAK, WEAK_DATA), 'duplicate');
  t.is(arbitrate(WEAK_DATA, { ...WEAK_DATA, threadLocal: true }), 'duplicate');
  t.is(arbitrate({ ...WEAK_DATA, threadLocal: true }, { ...DATA, threadLocal: true }), 'second');
});

test('the strongest definition has the name, and what gave way has it back when that is removed', (t) => {
  const table = newTable();
  const [first, second, strong] = [
    module('first', { f: WEAK, own: FUNCTION }),
    module('second', { f: WEAK }),
    module('strong', { f: FUNCTION }),
  ];
  t.deepEqual([...table.define(first)], []);
  t.deepEqual([...table.define(second)], []);
  t.is(table.find('f'), first);
  t.deepEqual([...table.define(strong)], [first]);
  t.is(table.find('f'), strong);
  t.deepEqual(table.currentNames(first), ['own']);
  t.deepEqual(table.remove(strong), ['f']);
  t.is(table.find('f'), second, 'it had given way to the first, which gave way later');
  t.deepEqual(table.remove(second), ['f']);
  t.is(table.find('f'), first);
  t.deepEqual(table.remove(first), ['f', 'own']);
  t.is(table.find('f'), undefined);
});

test('what gave way is gone when it is removed, and when a redefinition has come', (t) => {
  const table = newTable();
  const [weak, other, strong] = [
    module('weak', { f: WEAK }),
    module('other', { f: WEAK }),
    module('strong', { f: FUNCTION }),
  ];
  for (const each of [weak, other, strong]) table.define(each);
  t.deepEqual(table.remove(weak), []);
  table.remove(strong);
  t.is(table.find('f'), other);
  const again = module('again', { f: FUNCTION }, true);
  t.deepEqual([...table.define(again)], [other]);
  table.remove(again);
  t.is(table.find('f'), undefined);
});

test('what a redefinition has taken a name from never comes back, nor what that one had taken it from', (t) => {
  const table = newTable();
  const [weak, strong, again] = [
    module('weak', { f: WEAK, g: WEAK }),
    module('strong', { f: FUNCTION, g: FUNCTION }),
    module('again', { f: FUNCTION }, true),
  ];
  for (const each of [weak, strong]) table.define(each);
  t.deepEqual([...table.define(again)], [strong]);
  t.deepEqual(table.remove(again), ['f']);
  t.is(table.find('f'), undefined);
  // Of the other name nothing was redefined.
  t.deepEqual(table.remove(strong), ['g']);
  t.is(table.find('g'), weak);
});

test('of common definitions the largest left has the name', (t) => {
  const table = newTable();
  const [small, large, middle] = [4, 16, 8].map((size) => module(`of ${size}`, { c: common(size) }));
  for (const each of [small, large, middle]) if (each) table.define(each);
  t.is(table.find('c'), large);
  if (large) table.remove(large);
  t.is(table.find('c'), middle);
});

test('two strong definitions are an error that names both, and nothing has changed', (t) => {
  const table = newTable();
  table.define(module('one', { f: FUNCTION, g: WEAK }));
  const error = t.throws(() => table.define(module('two', { g: FUNCTION, f: FUNCTION, h: FUNCTION })), {
    instanceOf: LinkError,
  });
  t.is(error.reason, 'duplicate-definition');
  t.regex(error.message, /two.*: f already defined by one; remove the other definition first/);
  t.is(table.find('h'), undefined);
  t.is(table.find('g')?.name, 'one');
  t.throws(() => table.define(module('data', { g: DATA })), { message: /g already defined by one/ });
});

test('data that has its place keeps it: what would take the name is refused', (t) => {
  const placed = new Set<string>();
  const table = newTable(placed);
  table.define(module('one', { d: WEAK_DATA, c: common(4), f: WEAK }));
  for (const name of ['d', 'c', 'f']) placed.add(name);
  const words = / already in use as defined by one; add what takes its place before it is used/;
  t.throws(() => table.define(module('two', { d: DATA, e: DATA })), { message: words });
  t.throws(() => table.define(module('two', { c: common(8) })), { message: words });
  t.is(table.find('e'), undefined);
  t.deepEqual([...table.define(module('same', { d: WEAK_DATA, c: common(4) }))], []);
  t.is(table.find('d')?.name, 'one');
  t.is([...table.define(module('function', { f: FUNCTION }))].length, 1, 'a function has a stub');
});

test('what replaces takes the names of functions, and none of data', (t) => {
  const table = newTable();
  table.define(module('first', { f: FUNCTION, v: DATA }));
  const again = module('again', { f: FUNCTION, v: FUNCTION }, true);
  t.throws(() => table.define(again), { code: 'LINK_ERROR', message: /v already defined by first/ });
  t.is(table.find('f')?.name, 'first');
  table.define(module('f', { f: FUNCTION }, true));
  t.is(table.find('f')?.name, 'f');
});
