import test from 'ava';
import { decodeModuleInterface } from '../../src/llvm/module-interface.js';

const name = (text: string) => [text.length, 0, 0, 0, ...Buffer.from(text)];
const DATA = [0, ...name('d')];
const FUNCTION = [1, ...name('f')];
const CALLABLE = [2, ...name('g'), 2, 0, 0, 0, 0, 1, 8];

test('an interface is read as codegen.h lays it out', (t) => {
  const { functions, data } = decodeModuleInterface(Buffer.from([...FUNCTION, ...CALLABLE, ...DATA]));
  t.deepEqual(
    [...functions],
    [
      ['f', undefined],
      ['g', { result: 'void', parameters: ['double', 'ptr'] }],
    ],
  );
  t.deepEqual([...data], ['d']);
  t.is(decodeModuleInterface(Buffer.alloc(0)).functions.size, 0);
});

test('what is no interface is refused wherever it ends', (t) => {
  const whole = Buffer.from(CALLABLE);
  for (let length = 1; length < whole.length; length++)
    t.throws(() => decodeModuleInterface(whole.subarray(0, length)), { instanceOf: RangeError });
  const wrong: number[][] = [
    [3, ...name('f')],
    [0, 0xff, 0xff, 0xff, 0xff, 1],
    [2, ...name('g'), 0xff, 0xff, 0xff, 0xff, 0, 1, 1],
    [2, ...name('g'), 1, 0, 0, 0, 0, 0],
    [2, ...name('g'), 0, 0, 0, 0, 9],
  ];
  for (const bytes of wrong)
    t.throws(() => decodeModuleInterface(Buffer.from(bytes)), { instanceOf: RangeError });
});
