import test from 'ava';
import { checkHello, RunnerStartError, startError } from '../src/runner-start.js';

const HELLO = {
  base: 0x7000_0000_0000n,
  resolver: 1n,
  countFunction: 2n,
  runProgram: 3n,
  callHost: 4n,
  threadOffset: -70_000n,
  processId: 42,
};
const RESERVATION_BYTES = 0x1_0000;
const LAYOUT = { totalBytes: RESERVATION_BYTES, pageBytes: 4096 };
const END = 1n << 47n;

test('a runner is where user space is, all of it', (t) => {
  t.deepEqual(checkHello(HELLO, 42, LAYOUT, 47) as unknown, {
    base: HELLO.base,
    resolver: 1n,
    countFunction: 2n,
    runProgram: 3n,
    callHost: 4n,
    threadOffset: -70_000,
  });
  const last = END - BigInt(RESERVATION_BYTES);
  for (const base of [4096n, last])
    t.notThrows(() => checkHello({ ...HELLO, base }, 42, LAYOUT, 47), `${base}`);
  for (const base of [0n, 1n, 4095n, 4097n, last + 4096n, END, 0xffff_ffff_ffff_f000n])
    t.throws(() => checkHello({ ...HELLO, base }, 42, LAYOUT, 47), { instanceOf: RunnerStartError });
});

test('it has all that it must have, and is the process that was started', (t) => {
  const far = [{ threadOffset: -(2n ** 31n) }, { threadOffset: 2n ** 31n }];
  const missing = [{ resolver: 0n }, { countFunction: 0n }, { runProgram: 0n }, { callHost: 0n }];
  for (const wrong of [...missing, { processId: 43 }, ...far])
    t.throws(() => checkHello({ ...HELLO, ...wrong }, 42, LAYOUT, 47), {
      code: 'RUNNER_START_FAILED',
      message:
        /^it says: base 0x700000000000, resolver 0x[01], count function 0x[02], program function 0x[03], host call function 0x[04], thread offset -?\d+, process 4[23]$/,
    });
});

test('what it has said before it was ready says why it could not be started', (t) => {
  const cause = new Error('exit(1)');
  const error = startError('/bin/x', cause, [Buffer.from('no '), Buffer.from('memory\n')]);
  t.is(error.message, 'the runner /bin/x could not be started: exit(1) no memory');
  t.is(error.cause, cause);
  t.is(startError('/bin/x', 'gone', []).message, 'the runner /bin/x could not be started: gone');
});
