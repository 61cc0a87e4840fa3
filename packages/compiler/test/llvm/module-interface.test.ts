import test from 'ava';
import { localName } from '../../src/jitlink/local-names.js';
import { CompileError } from '../../src/llvm/errors.js';
import { decodeModuleInterface } from '../../src/llvm/module-interface.js';

const name = (text: string) => [text.length, 0, 0, 0, ...Buffer.from(text)];
const DATA = [0, 0, ...name('d')];
const FUNCTION = [1, 0, ...name('f')];
const ELSEWHERE = [3, 0, ...name('h')];
const LIBRARY = [3, 8, ...name('sin')];
const CALLABLE = [2, 0, ...name('g'), 2, 0, 0, 0, 0, 1, 8];
const OWN_LIBRARY = [8, 0, ...name('abs')];
const WEAK = [1, 5, ...name('w')];
const RUN = [6, 0, ...name('llvm.global_ctors')];
const COMMON = [0, 2, ...name('c'), 2, 1, 0, 0, 0, 0, 0, 0];
const VAGUE = [0, 33, ...name('v')];
const HIDDEN_VAGUE = [0, 37, ...name('u')];
const VIRTUAL_TABLE = [0, 33, ...name('_ZTV1A')];
const THREAD_LOCAL = [0, 17, ...name('t')];
const EIGHT = [8, 0, 0, 0, 0, 0, 0, 0];
const PASSING = [9, 0, ...name('f'), 1, 0, 0, 0, 1, ...EIGHT, 2, 0, 0, 0, 0, ...EIGHT, 2, ...EIGHT];
const WHOLE = [11, 0, ...name('assembly')];
const ALIAS = [10, 0, ...name('g'), ...name('f')];
const OWN_THREAD_LOCAL = [5, 16, ...name('o')];

test('an interface is read as codegen.h lays it out', (t) => {
  const {
    symbols,
    aliases,
    signatures,
    passings,
    declares,
    libraryFunctions,
    ownLibraryFunctions,
    threadLocals,
    runLists,
    whole,
  } = decodeModuleInterface(
    'm',
    Buffer.from(
      [
        FUNCTION,
        PASSING,
        ELSEWHERE,
        LIBRARY,
        CALLABLE,
        DATA,
        WEAK,
        COMMON,
        VAGUE,
        HIDDEN_VAGUE,
        VIRTUAL_TABLE,
        THREAD_LOCAL,
        OWN_THREAD_LOCAL,
        RUN,
        OWN_LIBRARY,
        ALIAS,
        WHOLE,
      ].flat(),
    ),
  );
  const strong = { linkage: 'strong', scope: 'exported', threadLocal: false, vague: false, sizeBytes: 0 };
  t.deepEqual([...symbols], [
    ['f', { ...strong, callable: true }],
    ['g', { ...strong, callable: true }],
    ['d', { ...strong, callable: false }],
    ['w', { ...strong, callable: true, linkage: 'weak', scope: 'hidden' }],
    ['c', { ...strong, callable: false, linkage: 'common', sizeBytes: 0x102 }],
    ['v', { ...strong, callable: false, linkage: 'weak', vague: true }],
    ['u', { ...strong, callable: false, linkage: 'weak', scope: 'hidden' }],
    ['_ZTV1A', { ...strong, callable: false, linkage: 'weak' }],
    ['t', { ...strong, callable: false, linkage: 'weak', threadLocal: true }],
  ] as never);
  t.deepEqual([...signatures], [['g', { result: 'void', parameters: ['double', 'ptr'] }]]);
  const eight = (place: string) => ({ place, sizeBytes: 8 });
  const passed = { result: [eight('sse')], parameters: [eight('integer'), eight('memory')] };
  t.deepEqual([...passings], [['f', passed as never]]);
  t.deepEqual(
    [...aliases],
    [
      ['f', ['f', 'g']],
      ['g', ['f', 'g']],
    ],
  );
  t.deepEqual([...declares], ['h', 'sin']);
  t.deepEqual([...libraryFunctions], ['sin']);
  t.deepEqual([...ownLibraryFunctions], ['abs']);
  t.false(decodeModuleInterface('m', Buffer.alloc(0)).hasAssembly);
  t.true(decodeModuleInterface('m', Buffer.from([4, 0, ...name('')])).hasAssembly);
  t.deepEqual([...threadLocals], ['t', 'o']);
  t.deepEqual(runLists, ['llvm.global_ctors']);
  t.is(whole, 'assembly');
  t.is(decodeModuleInterface('m', Buffer.alloc(0)).symbols.size, 0);
  const { sections } = decodeModuleInterface(
    'm',
    Buffer.from([7, 0, ...name('regs'), 7, 0, ...name('.data.x')]),
  );
  t.deepEqual([...sections], ['regs']);
});

test('functions of pieces are told in order, those that only their module can name by local names', (t) => {
  const bytes = Buffer.from([12, 0, ...name('f'), 12, 4, ...name('g'), 12, 0, 2, 0, 0, 0, 0x61, 0xff]);
  t.deepEqual(decodeModuleInterface('m', bytes).pieceFunctions, ['f', localName('g', 'function')]);
});

test('what is no interface is refused wherever it ends', (t) => {
  for (const whole of [CALLABLE, COMMON, PASSING, ALIAS])
    for (let length = 1; length < whole.length; length++)
      t.throws(() => decodeModuleInterface('m', Buffer.from(whole.slice(0, length))), {
        instanceOf: RangeError,
      });
  const wrong: number[][] = [
    [13, 0, ...name('f')],
    [12, 1, ...name('f')],
    [9, 0, ...name('f'), 1, 0, 0, 0, 4, ...EIGHT, 0, 0, 0, 0],
    [9, 0, ...name('f'), 0, 0, 0, 0, 0xff, 0xff, 0xff, 0xff],
    [0, 64, ...name('d')],
    [1, 16, ...name('f')],
    [1, 8, ...name('f')],
    [3, 2, ...name('f')],
    [0, 0, 0xff, 0xff, 0xff, 0xff, 1],
    [2, 0, ...name('g'), 0xff, 0xff, 0xff, 0xff, 0, 1, 1],
    [2, 0, ...name('g'), 1, 0, 0, 0, 0, 0],
    [2, 0, ...name('g'), 0, 0, 0, 0, 9],
  ];
  for (const bytes of wrong)
    t.throws(() => decodeModuleInterface('m', Buffer.from(bytes)), { instanceOf: RangeError });
});

test('a name that is not UTF-8 is refused, and one that LLVM must not mangle is a symbol without the mark', (t) => {
  const { symbols } = decodeModuleInterface('m', Buffer.from([1, 0, ...name('\u0001raw')]));
  t.deepEqual([...symbols.keys()], ['raw']);
  t.throws(() => decodeModuleInterface('m', Buffer.from([0, 0, 2, 0, 0, 0, 0x61, 0xff])), {
    instanceOf: CompileError,
    message: "Cannot use module m: the name 'aÿ' is not UTF-8, as names have to be",
  });
});
