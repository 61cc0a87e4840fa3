import { spawn } from 'node:child_process';
import { once } from 'node:events';
import test from 'ava';

const MODULE = new URL('../../src/jit/write-to-process.js', import.meta.url).href;

/** A process whose standard output nobody reads any more, and what it ends with. */
async function endOf(t: { teardown(end: () => void): void }, prepare: string): Promise<unknown[]> {
  const script = `
    import { writeToProcess } from ${JSON.stringify(MODULE)};
    ${prepare}
    process.stdin.once('data', async () => {
      for (let count = 0; count < 3; count++) {
        await writeToProcess('stdout', Buffer.alloc(1 << 20));
        await new Promise(setImmediate);
      }
      process.exit(7);
    });`;
  const child = spawn(process.execPath, ['--input-type=module', '-e', script], {
    stdio: ['pipe', 'pipe', 'ignore'],
  });
  t.teardown(() => void child.kill('SIGKILL'));
  const closed = once(child.stdout, 'close');
  child.stdout.destroy();
  await closed;
  child.stdin.write('go');
  return once(child, 'exit');
}

test('what nobody reads is lost, and the program goes on', async (t) => {
  t.deepEqual(await endOf(t, ''), [7, null]);
});

test('whoever listens to errors of the stream hears of it', async (t) => {
  const listen = `process.stdout.on('error', ({ code }) => process.exit(code === 'EPIPE' ? 9 : 1));`;
  t.deepEqual(await endOf(t, listen), [9, null]);
});
