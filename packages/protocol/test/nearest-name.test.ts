import test from 'ava';
import { nearestName } from '../src/nearest-name.js';

test('the name that is meant is the nearest, whatever its letters are', (t) => {
  const known = ['sessions', 'memory', 'cpu', 'calls'];
  for (const [name, nearest] of [
    ['session', 'sessions'],
    ['Sesions', 'sessions'],
    ['MEMORY', 'memory'],
    ['memroy', 'memory'],
    ['cp', undefined],
    ['cpus', 'cpu'],
    ['call', 'calls'],
    // Half of it wrong, and a letter less.
    ['caXXX', undefined],
    ['calXX', 'calls'],
    ['meXXXX', undefined],
    ['memXXX', undefined],
    ['memoXX', 'memory'],
    ['', undefined],
  ] as const)
    t.is(nearestName(name, known), nearest, name);
});

test('of two that are as near, the first', (t) => {
  t.is(nearestName('data1', ['data2', 'data3']), 'data2');
  t.is(nearestName('data', []), undefined);
});
