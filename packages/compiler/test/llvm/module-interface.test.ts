import test from 'ava';
import { CompileError } from '../../src/llvm/errors.js';
import { decodeModuleInterface } from '../../src/llvm/module-interface.js';

const name = (text: string) => [text.length, 0, 0, 0, ...Buffer.from(text)];
const DATA = [0, ...name('d')];
const FUNCTION = [1, ...name('f')];
const ELSEWHERE = [3, ...name('h')];
const CALLABLE = [2, ...name('g'), 2, 0, 0, 0, 0, 1, 8];

test('an interface is read as codegen.h lays it out', (t) => {
  const { functions, data, declares } = decodeModuleInterface(
    'm',
    Buffer.from([...FUNCTION, ...ELSEWHERE, ...CALLABLE, ...DATA]),
  );
  t.deepEqual(
    [...functions],
    [
      ['f', undefined],
      ['g', { result: 'void', parameters: ['double', 'ptr'] }],
    ],
  );
  t.deepEqual([...data], ['d']);
  t.deepEqual([...declares], ['h']);
  t.is(decodeModuleInterface('m', Buffer.alloc(0)).functions.size, 0);
});

test('what is no interface is refused wherever it ends', (t) => {
  const whole = Buffer.from(CALLABLE);
  for (let length = 1; length < whole.length; length++)
    t.throws(() => decodeModuleInterface('m', whole.subarray(0, length)), { instanceOf: RangeError });
  const wrong: number[][] = [
    [4, ...name('f')],
    [0, 0xff, 0xff, 0xff, 0xff, 1],
    [2, ...name('g'), 0xff, 0xff, 0xff, 0xff, 0, 1, 1],
    [2, ...name('g'), 1, 0, 0, 0, 0, 0],
    [2, ...name('g'), 0, 0, 0, 0, 9],
  ];
  for (const bytes of wrong)
    t.throws(() => decodeModuleInterface('m', Buffer.from(bytes)), { instanceOf: RangeError });
});

test('a name that is not UTF-8 is refused, and one that LLVM must not mangle is a symbol without the mark', (t) => {
  const { functions } = decodeModuleInterface('m', Buffer.from([1, ...name('\u0001raw')]));
  t.deepEqual([...functions.keys()], ['raw']);
  t.throws(() => decodeModuleInterface('m', Buffer.from([0, 2, 0, 0, 0, 0x61, 0xff])), {
    instanceOf: CompileError,
    message: "Cannot use module m: the name 'aÿ' is not UTF-8, as names have to be",
  });
});
