import { setImmediate as turn } from 'node:timers/promises';
import test from 'ava';
import { MaterializationUnit } from '../../src/core/materialization-unit.js';
import { strongSymbols } from '../../src/core/symbol-flags.js';
import { GuessCompiler } from '../../src/optimize/guess-compiler.js';
import type { RunnerContext } from '../../src/runner/runner-context.js';

const RUNNER = {} as RunnerContext;

function unitNamed(name: string): MaterializationUnit {
  const source = {
    kind: 'function' as const,
    materialize: () => Promise.reject(new Error('not by itself')),
  };
  return new MaterializationUnit(name, source, strongSymbols([name]));
}

function unitsNamed(prefix: string, count: number): MaterializationUnit[] {
  return Array.from({ length: count }, (_, index) => unitNamed(`${prefix}${index}`));
}

/** A compiler of guesses whose modules are done when the test says so. */
function scripted(refused: readonly string[] = []) {
  const modules: { names: string[]; finish: () => Promise<void> }[] = [];
  const log: string[] = [];
  const begun = new Set<MaterializationUnit>();
  const guesses = new GuessCompiler({
    isBegun: (unit) => begun.has(unit),
    trace: (_functionCount, work) => work(),
    compile: (units) => {
      const taken = units.filter(({ name }) => !refused.includes(name));
      if (taken.length === 0) return [];
      let resolve = () => {};
      const promise = new Promise<void>((settle) => {
        resolve = settle;
      });
      for (const unit of taken) begun.add(unit);
      done.push(promise);
      modules.push({
        names: taken.map(({ name }) => name),
        finish: async () => {
          resolve();
          for (let turns = 0; turns < 5; turns++) await turn();
        },
      });
      return taken;
    },
    link: async (units) => {
      await done[modules.findIndex(({ names }) => names.includes(units[0]?.name ?? ''))];
      for (const unit of units) log.push(`link ${unit.name}`);
    },
    push: () => log.push('push'),
  });
  const done: Promise<unknown>[] = [];
  return { guesses, modules, log, begun };
}

test('nothing is compiled before whoever asked has been served', async (t) => {
  const { guesses, modules } = scripted();
  guesses.add(unitsNamed('f', 3), RUNNER);
  await Promise.resolve();
  t.deepEqual(modules, []);
  await turn();
  t.deepEqual(
    modules.map(({ names }) => names),
    [['f0', 'f1', 'f2']],
  );
});

test('two modules are under way at a time, and each is pushed when it is linked', async (t) => {
  const { guesses, modules, log } = scripted();
  guesses.add(unitsNamed('f', 100), RUNNER);
  for (let turns = 0; turns < 10; turns++) await turn();
  t.deepEqual(
    modules.map(({ names }) => names.length),
    [32, 32],
  );
  await modules[0]?.finish();
  t.deepEqual(log.slice(31), ['link f31', 'push']);
  t.deepEqual(
    modules.map(({ names }) => names.length),
    [32, 32, 32],
  );
  await modules[1]?.finish();
  await modules[2]?.finish();
  await modules[3]?.finish();
  t.deepEqual(modules.at(-1)?.names, ['f96', 'f97', 'f98', 'f99']);
  t.is(log.filter((line) => line === 'push').length, 4);
});

test('a callback for a function on its way waits for its module and takes it along', async (t) => {
  const { guesses, modules, log } = scripted();
  const units = unitsNamed('f', 2);
  guesses.add(units, RUNNER);
  await turn();
  const [, asked] = units;
  if (!asked) return t.fail();
  const linked = guesses.whenLinked(asked);
  void linked?.then(() => log.push('answer'));
  await modules[0]?.finish();
  t.deepEqual(log, ['link f0', 'link f1', 'answer']);
  t.is(guesses.whenLinked(asked), undefined);
});

test('a function that is asked for while it is in the queue is not compiled again', async (t) => {
  const { guesses, modules, begun } = scripted();
  const units = unitsNamed('f', 3);
  guesses.add(units, RUNNER);
  const [, asked] = units;
  if (!asked) return t.fail();
  t.true(guesses.isWaiting(asked));
  t.is(guesses.whenLinked(asked), undefined);
  begun.add(asked);
  await turn();
  t.false(guesses.isWaiting(asked));
  t.deepEqual(modules[0]?.names, ['f0', 'f2']);
});

test('a module of nothing but refused functions holds nobody up', async (t) => {
  const refused = Array.from({ length: 32 }, (_, index) => `f${index}`);
  const { guesses, modules } = scripted(refused);
  guesses.add(unitsNamed('f', 33), RUNNER);
  for (let turns = 0; turns < 5; turns++) await turn();
  t.deepEqual(
    modules.map(({ names }) => names),
    [['f32']],
  );
});

test('what somebody else compiles is linked and pushed, or taken along by a callback that waits for it', async (t) => {
  const { guesses, log } = scripted();
  const [first, second] = unitsNamed('f', 2);
  if (!first || !second) return t.fail();
  guesses.follow([], RUNNER);
  guesses.follow([first], RUNNER);
  guesses.follow([second], RUNNER);
  await guesses.whenLinked(second);
  await turn();
  t.deepEqual(log, ['link f0', 'link f1', 'push']);
  t.is(guesses.whenLinked(first), undefined);
});
