import { FeatureError } from '@farjit/protocol/errors';
import type { ExecutorAddr } from '@farjit/protocol/executor-addr';
import type { ListedCall } from '../calls/call-list.js';
import { HeapInUseError } from '../core/errors.js';
import type { SymbolRef } from '../core/jit-dylib.js';
import type { RunnerContext } from '../runner/runner-context.js';

/** What finding out takes of a session. */
export interface ReplacingSession {
  resolve(ref: SymbolRef, runner: RunnerContext): Promise<{ readonly address: ExecutorAddr } | undefined>;
}

const ALIGNED = 'St11align_val_t';
const NOTHROW = 'RKSt9nothrow_t';
const AFTER_SIZE = ['', NOTHROW, ALIGNED, `${ALIGNED}${NOTHROW}`];
const AFTER_BLOCK = ['', 'm', NOTHROW, ALIGNED, `m${ALIGNED}`, `${ALIGNED}${NOTHROW}`];
/** Operators of C++ as objects name them, with what can follow there, and as C++ does. */
const OPERATORS = new Map(
  (
    [
      ['_Znwm', AFTER_SIZE, 'operator new'],
      ['_Znam', AFTER_SIZE, 'operator new[]'],
      ['_ZdlPv', AFTER_BLOCK, 'operator delete'],
      ['_ZdaPv', AFTER_BLOCK, 'operator delete[]'],
    ] as const
  ).flatMap(([name, rests, words]) => rests.map((rest) => [name + rest, words] as const)),
);
/** Functions that a program may define in place of the C or C++ library's, which then use them: `replace.c` of the runner. */
const REPLACEABLE = [
  ...[
    'malloc',
    'calloc',
    'realloc',
    'free',
    'memalign',
    'aligned_alloc',
    'posix_memalign',
    'valloc',
    'pvalloc',
  ],
  ...OPERATORS.keys(),
];

/**
 * Calls that have libraries in a runner use those functions of a program that replace theirs.
 * @param ref what the program begins with.
 * @throws {FeatureError} when the runner cannot do that: there would be two heaps.
 * @throws {HeapInUseError} when calls have run in it: then there are two.
 */
export async function replacingCalls(
  session: ReplacingSession,
  { dylib, name: program }: SymbolRef,
  runner: RunnerContext,
): Promise<ListedCall[]> {
  const replaced = REPLACEABLE.filter((name) => {
    const { unit, name: defined } = dylib.lookupExported(name);
    return unit?.symbols.get(defined)?.callable;
  });
  if (replaced.length === 0) return [];
  if (runner.hasRun) throw inUse(program, replaced);
  const replacers = await runner.lookupProcessSymbols(replaced.map((name) => `farjit$replace$${name}`));
  return Promise.all(
    replaced.map(async (name) => {
      const replacer = replacers.get(`farjit$replace$${name}`);
      const own = await session.resolve(dylib.ref(name), runner);
      if (replacer === undefined || own === undefined)
        throw new FeatureError(
          `the program defines ${name}, and the executor is of a release whose libraries would not call it`,
        );
      return { function: replacer, arguments: [own.address] };
    }),
  );
}

/** An operator has many forms, of which a program defines several. */
function inUse(program: string, replaced: readonly string[]): HeapInUseError {
  return new HeapInUseError(program, [...new Set(replaced.map((name) => OPERATORS.get(name) ?? name))]);
}
