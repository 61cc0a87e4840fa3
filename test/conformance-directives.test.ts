import test from 'ava';
import { parseDirectives } from './conformance/directives.js';

test('the first lines of a source say how it is run', (t) => {
  const text = [
    '// flags: -std=c11 -O2',
    '// args: a b',
    '// env: A=1=2 B=',
    '// stdin: one\\n\\"two\\"',
    '// refused: LINK_ERROR no definition of it',
    '#include <stdio.h>',
    '// flags: not these',
  ].join('\n');
  const { flags, args, env, stdin, refusal, objectCompiler } = parseDirectives(text, 'x');
  t.deepEqual(flags, ['-std=c11', '-O2']);
  t.deepEqual(args, ['a', 'b']);
  t.deepEqual(env, { A: '1=2', B: '' });
  t.is(Buffer.from(stdin).toString(), 'one\n"two"');
  t.deepEqual(refusal, { code: 'LINK_ERROR', words: 'no definition of it' });
  t.is(objectCompiler, undefined);
});

test('a directive that there is not is an error that names it', (t) => {
  t.throws(() => parseDirectives('// flag: -O2\n', 'x'), { message: 'x: there is no directive flag' });
});
