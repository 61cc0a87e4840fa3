import test from 'ava';
import { parseReceivedCount } from '../src/resumption.js';

test('a count of frames is a whole number that a frame can have', (t) => {
  for (const [header, count] of [
    ['0', 0],
    ['17', 17],
    ['9007199254740991', Number.MAX_SAFE_INTEGER],
    ['9007199254740992', undefined],
    ['10000000000000000', undefined],
    ['', undefined],
    ['-1', undefined],
    ['1.5', undefined],
    ['1e3', undefined],
    [' 1', undefined],
    ['1\n', undefined],
    [undefined, undefined],
    [['1', '2'], undefined],
  ] as const)
    t.is(parseReceivedCount(header as string), count, JSON.stringify(header));
});
