import test from 'ava';
import { socketPathFault, socketPathOf } from '../src/socket-path.js';

test('a path is what stands behind the scheme, as it is', (t) => {
  for (const [url, path] of [
    ['ws+unix:/a', '/a'],
    ['ws+unix:///a', '/a'],
    ['ws+unix://a', 'a'],
    ['ws+unix:a b%20\nc', 'a b%20\nc'],
    ['ws+unix:', ''],
    ['ws+unix:////a', '//a'],
    ['ws://a', undefined],
    ['xws+unix:/a', undefined],
    ['/a', undefined],
  ] as const)
    t.is(socketPathOf(url), path, url);
});

test('a socket can be at a path of so many bytes', (t) => {
  t.is(socketPathFault('x'.repeat(107)), undefined);
  t.is(socketPathFault('x'.repeat(108)), "a socket's path has at most 107 bytes, and this has 108");
  t.is(socketPathFault(`${'ü'.repeat(53)}x`), undefined);
  t.regex(socketPathFault('ü'.repeat(54)) ?? '', /this has 108/);
  t.regex(socketPathFault('') ?? '', /is missing/);
  t.regex(socketPathFault('/a:b') ?? '', /colon/);
  t.regex(socketPathFault('/a\0b') ?? '', /NUL/);
});
