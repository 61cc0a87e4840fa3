import test from 'ava';
import { MAX_BATCH_FUNCTIONS, type SpeculationMode, Speculator } from '../../src/indirection/speculation.js';

/** A speculator over a fixed call graph, and what has been compiled so far. */
function speculate(mode: SpeculationMode, calls: Readonly<Record<string, readonly string[]>>) {
  const compiled = new Set<string>();
  const speculator = new Speculator(mode, {
    calleesOf: (name) => calls[name] ?? [],
    isCandidate: (name) => name in calls && !compiled.has(name),
  });
  const callback = (name: string): string[] => {
    speculator.noteCalled(name);
    const chosen = speculator.choose(name);
    for (const function_ of [name, ...chosen]) compiled.add(function_);
    return chosen;
  };
  return { speculator, compiled, callback };
}

/** f0 → f1 → … */
function chain(count: number): Record<string, string[]> {
  return Object.fromEntries(
    Array.from({ length: count }, (_, i) => [`f${i}`, i + 1 < count ? [`f${i + 1}`] : []]),
  );
}

test('off chooses nothing', (t) => {
  const { callback, speculator } = speculate('off', chain(10));
  t.deepEqual(callback('f0'), []);
  t.deepEqual(callback('f1'), []);
  t.is(speculator.openCount, 0);
});

test('a chain is followed in batches that double', (t) => {
  const { callback, compiled } = speculate('auto', chain(1000));
  const sizes: number[] = [];
  for (let next = 0; next < 1000; next = compiled.size) sizes.push(1 + callback(`f${next}`).length);
  t.deepEqual(sizes.slice(0, 6), [2, 4, 8, 16, 32, 64]);
  t.true(sizes.every((size) => size <= MAX_BATCH_FUNCTIONS));
});

test('a program that goes elsewhere than guessed stops the guessing', (t) => {
  // Every function calls three leaves first, none of which ever runs, and then the next function.
  const calls: Record<string, string[]> = {};
  for (let i = 0; i < 100; i++) {
    calls[`f${i}`] = [`a${i}`, `b${i}`, `c${i}`, `f${i + 1}`];
    for (const leaf of ['a', 'b', 'c']) calls[`${leaf}${i}`] = [];
  }
  const { callback, compiled, speculator } = speculate('auto', calls);
  let called = 0;
  for (let i = 0; i < 100; i++) {
    called++;
    if (!compiled.has(`f${i}`)) callback(`f${i}`);
    t.true(speculator.openCount <= called, `${speculator.openCount} open after ${called} calls`);
  }
});

test('open guesses never outnumber the functions known to have been called', (t) => {
  // A tree: each function calls two, and only the left one is ever called.
  const calls: Record<string, string[]> = {};
  const grow = (name: string, depth: number): void => {
    calls[name] = depth === 0 ? [] : [`${name}l`, `${name}r`];
    for (const child of calls[name] ?? []) grow(child, depth - 1);
  };
  grow('f', 10);
  const { callback, compiled, speculator } = speculate('auto', calls);
  let callCount = 0;
  for (let name = 'f'; name in calls; name += 'l') {
    callCount++;
    if (!compiled.has(name)) callback(name);
    t.true(speculator.openCount <= callCount);
  }
});

test('a function that an expression may have called proves nothing of its other callers', (t) => {
  const { callback, speculator } = speculate('auto', { f: ['g'], g: ['h'], h: [] });
  t.deepEqual(callback('f'), ['g']);
  speculator.noteReachable('h');
  callback('h');
  t.is(speculator.openCount, 1);
});

test('eager compiles what can be reached, up to a batch', (t) => {
  const { callback } = speculate('eager', chain(100));
  t.is(callback('f0').length, MAX_BATCH_FUNCTIONS - 1);
});

test('a circle of calls ends', (t) => {
  const { callback } = speculate('eager', { f: ['g'], g: ['f', 'g'] });
  t.deepEqual(callback('f'), ['g']);
});

test('a forgotten function counts neither as called nor as a guess', (t) => {
  const { callback, compiled, speculator } = speculate('auto', chain(10));
  t.deepEqual(callback('f0'), ['f1']);
  speculator.forget('f1', ['f2']);
  compiled.delete('f1');
  t.is(speculator.openCount, 0);
  t.deepEqual(callback('f1'), ['f2', 'f3']);
});
