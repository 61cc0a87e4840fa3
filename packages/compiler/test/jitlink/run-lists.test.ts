import test from 'ava';
import { inLinkOrder, isRunSection, parseRunListName, runListName } from '../../src/jitlink/run-lists.js';

test('sections that list functions to run are told by their names, and no others', (t) => {
  for (const name of [
    '.init_array',
    '.init_array.00101',
    '.preinit_array',
    '.fini_array.5',
    '.ctors',
    '.dtors.65535',
  ])
    t.true(isRunSection(name), name);
  for (const name of ['.init', '.init_arrays', '.init_array.x', '.init_array.', '.text.init_array', '.data'])
    t.false(isRunSection(name), name);
});

test('what a list is for is read back from its symbol', (t) => {
  const list = (section: string, group?: string) => parseRunListName(runListName(section, 7, group));
  const common = { index: 7, group: undefined };
  t.deepEqual(list('.init_array'), { ...common, phase: 'init', priority: 65_536, isReversed: false });
  t.deepEqual(list('.init_array.00101'), { ...common, phase: 'init', priority: 101, isReversed: false });
  t.deepEqual(list('.ctors.65434'), { ...common, phase: 'init', priority: 101, isReversed: true });
  t.deepEqual(list('.dtors'), { ...common, phase: 'fini', priority: 65_536, isReversed: true });
  t.is(list('.fini_array', 'a@b#\n')?.group, 'a@b#\n');
  for (const name of ['.init_array', '.bss#3', 'main', '.init_array#', '.init_array#x', ''])
    t.is(parseRunListName(name), undefined, name);
});

test('lists of a phase are in the order of their priorities, then in that in which they were given', (t) => {
  const names = ['.init_array', '.ctors.65534', '.init_array.2', '.init_array.00001', '.ctors'];
  const lists = names.flatMap((name, index) => parseRunListName(runListName(name, index)) ?? []);
  t.deepEqual(
    inLinkOrder(lists).map(({ index }) => index),
    [1, 3, 2, 0, 4],
  );
});
