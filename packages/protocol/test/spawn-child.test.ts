import { once } from 'node:events';
import test from 'ava';
import { spawnChild } from '../src/spawn-child.js';

test('a program has the pipes that were asked for', async (t) => {
  const { child, pipe } = spawnChild('sh', ['-c', 'cat; echo three >&3'], {
    stdio: ['pipe', 'pipe', 'inherit', 'pipe'],
  });
  let said = '';
  for (const descriptor of [1, 3]) pipe(descriptor).on('data', (piece: Buffer) => (said += piece));
  pipe(0).end('none, ');
  t.deepEqual(await once(child, 'close'), [0, null]);
  t.is(said, 'none, three\n');
});

test('a program that cannot be started is told of by an event, however Node says it', async (t) => {
  for (const [program, args, code] of [
    ['/nowhere/program', [], 'ENOENT'],
    // Thrown.
    ['true', ['x'.repeat(4_000_000)], 'E2BIG'],
  ] as const) {
    const { child, pipe } = spawnChild(program, args, { stdio: 'pipe' });
    // Signal 0 only asks whether there is somebody to signal.
    t.false(child.kill(0));
    const socket = pipe(1);
    t.is(pipe(1), socket);
    socket.ref().unref().destroy();
    const [error] = (await once(child, 'error')) as [NodeJS.ErrnoException];
    t.is(error.code, code);
    t.is(child.pid, undefined);
    t.false(child.kill(0));
  }
});

test('arguments that are none are thrown', (t) => {
  t.throws(() => spawnChild('', [], {}), { code: 'ERR_INVALID_ARG_VALUE' });
});
