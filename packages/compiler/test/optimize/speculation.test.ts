import { memory } from '@farjit/protocol';
import test from 'ava';
import { MAX_GUESSES, type SpeculationMode, Speculator } from '../../src/optimize/speculation.js';
import { MAX_FRAME_ACTIONS } from '../../src/runner/commit-queue.js';

/** Calls by caller; those that start with `?` stand in a branch. */
type Calls = Readonly<Record<string, readonly string[]>>;

/** A speculator over a fixed call graph, and what has been compiled so far. */
function speculate(mode: SpeculationMode, calls: Calls, profile?: readonly string[]) {
  const compiled = new Set<string>();
  const graph = {
    callsOf: (name: string) =>
      (calls[name] ?? []).map((callee) => ({
        callee: callee.replace('?', ''),
        isCertain: !callee.startsWith('?'),
      })),
    isCandidate: (name: string) => name in calls && !compiled.has(name),
    isEmitted: () => false,
    isTaken: (name: string) => compiled.has(name),
  };
  const speculator = new Speculator(mode, graph, profile);
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
  const { callback, compiled } = speculate('auto', chain(2000));
  const sizes: number[] = [];
  for (let next = 0; next < 2000; next = compiled.size) sizes.push(1 + callback(`f${next}`).length);
  t.deepEqual(sizes.slice(0, 8), [2, 4, 8, 16, 32, 64, 128, 256]);
  t.true(sizes.every((size) => size <= 1 + MAX_GUESSES));
});

test('a callback for a guess that is on its way has the next ones chosen, beyond those that are open', (t) => {
  const { callback, speculator } = speculate('auto', chain(100));
  t.deepEqual(callback('f0'), ['f1']);
  t.deepEqual(callback('f2'), ['f3', 'f4', 'f5']);
  // f0 to f3 have been called, f4 and f5 are open: there is room for two.
  t.deepEqual(callback('f3'), ['f6', 'f7']);
  t.is(speculator.openCount, 4);
});

test('a program that goes elsewhere than guessed stops the guessing', (t) => {
  // Every function may call three leaves, none of which ever runs, and then the next function.
  const calls: Record<string, string[]> = {};
  for (let i = 0; i < 100; i++) {
    calls[`f${i}`] = [`?a${i}`, `?b${i}`, `?c${i}`, `?f${i + 1}`];
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
    calls[name] = depth === 0 ? [] : [`?${name}l`, `?${name}r`];
    if (depth === 0) return;
    for (const side of ['l', 'r']) grow(name + side, depth - 1);
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

test('what is called for certain is guessed before what stands in a branch, and that with half the room', (t) => {
  const calls: Record<string, string[]> = { ...chain(7), f6: ['?b', '?c', '?d', '?e', 'x', 'y'] };
  for (const leaf of ['b', 'c', 'd', 'e', 'x', 'y']) calls[leaf] = [];
  const { callback } = speculate('auto', calls);
  callback('f0');
  callback('f2');
  // Seven have been called.
  t.deepEqual(callback('f6'), ['x', 'y', 'b', 'c', 'd']);
});

/** Functions that call nothing, and have been called. */
function callLeaves(
  callback: (name: string) => string[],
  calls: Record<string, string[]>,
  count: number,
): void {
  for (let index = 0; index < count; index++) {
    calls[`leaf${index}`] = [];
    callback(`leaf${index}`);
  }
}

test('open guesses behind branches are, all together, half as many as functions that were called', (t) => {
  const calls: Record<string, string[]> = { f: ['?a', '?b', '?c', '?d', '?e'], g: ['?h', '?i'] };
  for (const callee of ['a', 'b', 'c', 'd', 'e', 'h', 'i']) calls[callee] = [];
  const { callback } = speculate('auto', calls);
  callLeaves(callback, calls, 7);
  t.deepEqual(callback('f'), ['a', 'b', 'c', 'd']);
  t.deepEqual(callback('g'), []);
});

test('what is linked ahead, behind branches too, takes no room from guesses', (t) => {
  const calls: Record<string, string[]> = { f: ['?a', '?b'], g: ['?c', '?d', '?e', '?h'] };
  for (const callee of ['a', 'b', 'c', 'd', 'e', 'h']) calls[callee] = [];
  const { callback, speculator, compiled } = speculate('auto', calls);
  callLeaves(callback, calls, 4);
  speculator.noteCalled('f');
  const ahead = speculator.chooseFound('f', () => true);
  t.deepEqual(ahead, ['a', 'b']);
  for (const name of ['f', ...ahead]) compiled.add(name);
  t.is(speculator.openCount, 0);
  // Six have been called.
  t.deepEqual(callback('g'), ['c', 'd', 'e']);
});

test('what the caller calls next is guessed where there is nothing to call', (t) => {
  const leaves = Array.from({ length: 20 }, (_, i) => `g${i}`);
  const calls = { main: leaves, ...Object.fromEntries(leaves.map((leaf) => [leaf, []])) };
  const { callback, speculator, compiled } = speculate('auto', calls);
  const sizes = [1 + callback('main').length];
  for (const leaf of leaves) if (!compiled.has(leaf)) sizes.push(1 + callback(leaf).length);
  t.deepEqual(sizes, [2, 4, 8, 7]);
  // The callback for the first of the last batch proved those before it.
  t.is(speculator.openCount, 6);
});

test('the end of a call proves what it called for certain', (t) => {
  const { callback, speculator } = speculate('auto', { ...chain(3), f2: ['g', '?h'], g: [], h: [] });
  t.deepEqual(callback('f0'), ['f1']);
  t.deepEqual(callback('f2'), ['g', 'h']);
  t.is(speculator.openCount, 2);
  speculator.noteReturned([{ callee: 'f0', isCertain: false }]);
  t.is(speculator.openCount, 2);
  speculator.noteReturned([{ callee: 'f0', isCertain: true }]);
  t.is(speculator.openCount, 1);
});

test('a function that an expression may have called proves nothing of its other callers', (t) => {
  const { callback, speculator } = speculate('auto', { f: ['g'], g: ['h'], h: [] });
  t.deepEqual(callback('f'), ['g']);
  speculator.noteReachable('h');
  callback('h');
  t.is(speculator.openCount, 1);
});

test('eager compiles what can be reached, up to a bound', (t) => {
  const { callback } = speculate('eager', chain(1000));
  t.is(callback('f0').length, MAX_GUESSES);
});

test('a profile names the guesses, and what it lacks is not guessed', (t) => {
  const calls = { f: ['?a', '?b', '?c', 'd'], a: [], b: [], c: ['e'], d: [], e: [] };
  const { callback, speculator } = speculate('auto', calls, ['f', 'c', 'e', 'd', 'gone']);
  t.deepEqual(callback('f'), ['c', 'e', 'd']);
  t.is(speculator.openCount, 3);
  t.deepEqual(callback('a'), []);
});

test('a profile of another program is trusted so far and no further', (t) => {
  const names = Array.from({ length: 2000 }, (_, i) => `f${i}`);
  const calls = Object.fromEntries(names.map((name) => [name, [] as string[]]));
  const { callback, compiled, speculator } = speculate('auto', calls, names);
  let calledCount = 0;
  // From the end, so that what follows in the profile has always been called.
  for (const name of ['f0', ...names.slice(-300).reverse()]) {
    calledCount++;
    if (!compiled.has(name)) callback(name);
    t.true(speculator.openCount <= calledCount + MAX_GUESSES);
  }
  t.is(compiled.size, 301 + MAX_GUESSES);
});

test('off guesses nothing, with a profile too', (t) => {
  t.deepEqual(speculate('off', chain(3), ['f0', 'f1', 'f2']).callback('f0'), []);
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

test('a function that calls a hundred thousand is followed in a time that grows with them', (t) => {
  const leaves = Array.from({ length: 100_000 }, (_, i) => `g${i}`);
  const calls: Calls = { main: leaves };
  let looked = 0;
  const mainCalls = leaves.map((callee) => ({ callee, isCertain: true }));
  const compiled = new Set<string>();
  const known = new Set(leaves);
  const speculator = new Speculator('auto', {
    callsOf: (name) => (name in calls ? mainCalls : []),
    isCandidate: (name) => {
      looked++;
      return known.has(name) && !compiled.has(name);
    },
    isEmitted: () => false,
    isTaken: (name) => {
      looked++;
      return compiled.has(name);
    },
  });
  let callbackCount = 0;
  for (const name of ['main', ...leaves]) {
    if (compiled.has(name)) continue;
    callbackCount++;
    speculator.noteCalled(name);
    for (const chosen of [name, ...speculator.choose(name)]) compiled.add(chosen);
  }
  t.is(compiled.size, 100_001);
  t.true(callbackCount < 100_000 / MAX_GUESSES + 10, `${callbackCount} callbacks`);
  t.true(looked < 3 * 100_000, `${looked} looked at`);
});

test('before anything is known so many functions are linked ahead, and two for each that was called', (t) => {
  const calls = chain(1000);
  const { speculator, compiled } = speculate('auto', calls);
  const link = (name: string) => {
    const chosen = speculator.chooseFound(name, () => true);
    for (const one of [name, ...chosen]) compiled.add(one);
    return chosen.length;
  };
  t.is(link('f0'), 64);
  t.is(link('f70'), 0);
  speculator.noteCalled('f70');
  t.is(link('f80'), 2);
  t.is(speculator.openAheadCount, 66);
});

test('of what has been compiled as a whole ten are linked ahead for each that was called', (t) => {
  const calls = chain(1000);
  const { speculator, compiled } = speculate('auto', calls);
  const link = (name: string) => {
    speculator.noteCalled(name);
    const chosen = speculator.chooseEmitted(name, () => true);
    for (const one of [name, ...chosen]) compiled.add(one);
    return chosen.length;
  };
  t.is(link('f0'), 10);
  const called = compiled.size;
  t.true(link(`f${called}`) >= 20);
});

test('what is not found is passed by no further than it leads', (t) => {
  const calls = { f: ['a', 'b'], a: ['c'], b: ['d'], c: [], d: [] };
  const { speculator } = speculate('auto', calls);
  const asked: string[] = [];
  const find = (name: string) => {
    asked.push(name);
    return name !== 'a';
  };
  t.deepEqual(speculator.chooseFound('f', find), ['b', 'd']);
  t.deepEqual(asked, ['a', 'b', 'd']);
});

test('a guess that was found is no guess any more, and one that nobody made stays none', (t) => {
  const { callback, speculator } = speculate('auto', chain(10));
  t.deepEqual(callback('f0'), ['f1']);
  speculator.noteFound('f1');
  t.deepEqual([speculator.openCount, speculator.openAheadCount], [0, 1]);
  speculator.noteFound('f9');
  t.deepEqual([speculator.openCount, speculator.openAheadCount], [0, 1]);
  speculator.noteCalled('f1');
  t.is(speculator.openAheadCount, 0);
});

test('a profile is followed from behind the function that was asked for, no further than it is looked at', (t) => {
  const names = Array.from({ length: 2000 }, (_, i) => `f${i}`);
  // Nothing can be compiled before the last that is looked at, and the one behind it.
  const calls = { f0: [], f1024: [], f1025: [] };
  t.deepEqual(speculate('auto', calls, names).callback('f0'), ['f1024']);
});

test('the answer to one callback brings all that it links ahead, and what it asks for', (t) => {
  const count = 2 * memory.MAX_FINALIZE_ACTIONS;
  const callees = Array.from({ length: count }, (_, index) => ({ callee: `f${index}`, isCertain: true }));
  const graph = {
    callsOf: (name: string) => (name === 'main' ? callees : []),
    isCandidate: (name: string) => name !== 'main',
    isEmitted: () => false,
    isTaken: () => false,
  };
  const ahead = new Speculator('eager', graph).chooseFound('main', () => true);
  t.is(ahead.length + 1, MAX_FRAME_ACTIONS);
});
