/** Why programs of gcc's end otherwise under FarJIT than after `clang -O1`. */
const REASONS: Readonly<Record<string, readonly string[]>> = {
  'it calls what nobody defines where the optimiser of `clang -O1` has removed the call, and ours has not': [
    '20020720-1',
    '20041114-1',
    'compare-3',
    'medce-1',
    'pure-1',
    'shiftopt-1',
    'ieee/compare-fp-3',
    'ieee/fp-cmp-6',
    'ieee/fp-cmp-7',
  ],
  'it asks what the optimiser of `clang -O1` knows': ['bcp-1', 'builtin-constant', '20030125-1'],
  'it defines a function of C’s library that does something else; its own is called, where `clang -O1` has put what it knows of the library’s':
    ['20021127-1'],
  'it converts a number to `int` that is too large for it, which is undefined': ['20031003-1'],
  'it decides on a variable that nobody has set, which is undefined': ['921202-1'],
  'it prints addresses': ['return-addr'],
};

export const TORTURE_DIFFERENCES: ReadonlyMap<string, string> = new Map(
  Object.entries(REASONS).flatMap(([reason, programs]) => programs.map((name) => [name, reason] as const)),
);
