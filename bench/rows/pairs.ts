import type { Benchmark } from '../benchmark.js';
import { coldFarjit, emptyNode, farjit, farjitVersion } from '../contenders.js';
import { chain, mostlyUncalled } from '../programs.js';
import { pair } from './pair.js';

/** Defining what is not called costs next to nothing. */
export const mostlyUncalledPrograms: Benchmark = pair({
  id: 'uncalled',
  title: '1,000 defined, 20 called, beside 20 defined',
  budgetSeconds: { full: 12, smoke: 3 },
  target: { limit: 1.2, unit: '×', digits: 2 },
  left: { words: '1,000 defined', program: mostlyUncalled(1000, 20), contender: () => coldFarjit() },
  right: { words: '20 defined', program: mostlyUncalled(20, 20), contender: () => coldFarjit() },
});

/** A program that ran before compiles nothing. */
export const secondRun: Benchmark = pair({
  id: 'secondrun',
  title: 'second run from the disk cache, chain of 200, beside one function',
  budgetSeconds: { full: 12, smoke: 3 },
  target: { limit: 1.25, unit: '×', digits: 2 },
  left: { words: 'chain of 200, cached', program: chain(200), contender: cached },
  right: { words: 'one function, cached', program: chain(1, 'one'), contender: cached },
  runBefore: true,
});

const node = { words: emptyNode.title, program: chain(1), contender: () => emptyNode };

/** What starting everything costs. */
export const startUp: Benchmark = pair({
  id: 'startup',
  title: 'one function, cold, beside `node -e 0`',
  budgetSeconds: { full: 12, smoke: 3 },
  target: { limit: 2.6, unit: '×', digits: 2 },
  left: { words: 'one function', program: chain(1), contender: () => coldFarjit() },
  right: node,
});

/** The same where nothing is compiled. */
export const cachedStartUp: Benchmark = pair({
  id: 'cachedstartup',
  title: 'one function, from the disk cache, beside `node -e 0`',
  budgetSeconds: { full: 12, smoke: 3 },
  target: { limit: 2.4, unit: '×', digits: 2 },
  left: { words: 'one function, cached', program: chain(1), contender: cached },
  right: node,
  runBefore: true,
});

/** What is answered before any Node has started. */
export const version: Benchmark = pair({
  id: 'version',
  title: '`farjit --version` beside `node -e 0`',
  budgetSeconds: { full: 4, smoke: 1 },
  target: { limit: 0.1, unit: '×', digits: 3 },
  left: { words: 'version', program: chain(1), contender: () => farjitVersion },
  right: node,
});

/** What looking in costs. */
export const traceCost: Benchmark = pair({
  id: 'trace',
  title: 'chain of 200, cold, with `--trace` beside without',
  budgetSeconds: { full: 12, smoke: 3 },
  target: { limit: 1.05, unit: '×', digits: 3 },
  left: {
    words: 'traced',
    program: chain(200),
    contender: (folder) => coldFarjit(`--trace=${folder}.pftrace`),
  },
  right: { words: 'not traced', program: chain(200), contender: () => coldFarjit() },
});

/** The same with all that is compiled. */
export const recordCost: Benchmark = pair({
  id: 'record',
  title: 'chain of 200, cold, with `--record` beside without',
  budgetSeconds: { full: 12, smoke: 3 },
  target: { limit: 1.2, unit: '×', digits: 3 },
  left: {
    words: 'recorded',
    program: chain(200),
    contender: (folder) => coldFarjit(`--record=${folder}.fjrec`),
  },
  right: { words: 'not recorded', program: chain(200), contender: () => coldFarjit() },
});

function cached(cacheFolder: string) {
  return farjit(`--cache-dir=${cacheFolder}`);
}
