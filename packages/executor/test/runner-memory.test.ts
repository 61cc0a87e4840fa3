import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { toExecutorAddr } from '@farjit/protocol/executor-addr';
import test from 'ava';
import { MapsReader } from '../src/mappings-meter.js';
import { isWritable, RunnerMemory } from '../src/runner-memory.js';

const MAPS = `1000-3000 rw-p 00000000 00:00 0
3000-4000 rw-s 00000000 00:01 7 /memfd:farjit (deleted)
4000-5000 r--p 00000000 00:00 0
6000-7000 rw-p 00000000 00:00 0 a name with rw-p and 7000-8000 rw-p in it
7fffffffe000-7ffffffff000 rw-p 00000000 00:00 0 [stack]
`;

test('a range is writable when all of it is', (t) => {
  for (const [address, sizeBytes] of [
    [0x1000n, 1],
    [0x1000n, 0x3000],
    [0x2fffn, 2],
    [0x6fffn, 1],
    [0x7fff_ffff_efffn, 1],
    [0x5000n, 0],
  ] as const)
    t.true(isWritable(MAPS, address, sizeBytes), `${address.toString(16)} ${sizeBytes}`);
  for (const [address, sizeBytes] of [
    [0xfffn, 2],
    [0x3fffn, 2],
    [0x4000n, 1],
    [0x5000n, 1],
    [0x5fffn, 2],
    [0x6fffn, 2],
    [0x7000n, 1],
    [0x7fff_ffff_efffn, 2],
    [0x8000_0000_0000n, 1],
  ] as const)
    t.false(isWritable(MAPS, address, sizeBytes), `${address.toString(16)} ${sizeBytes}`);
});

test('however many mappings there are, each is found', (t) => {
  const count = 3000;
  const line = (index: number, rights: string) =>
    `${(0x1000 + 0x2000 * index).toString(16)}-${(0x2000 + 0x2000 * index).toString(16)} ${rights} 00000000 00:00 0 ${'x'.repeat(index % 40)}\n`;
  const lines = Array.from({ length: count }, (_, index) => line(index, index % 3 === 0 ? 'r--p' : 'rw-p'));
  const maps = lines.join('');
  for (let index = 0; index < count; index++) {
    const start = BigInt(0x1000 + 0x2000 * index);
    const is = index % 3 !== 0;
    for (const [at, sizeBytes, expected] of [
      [start, 1, is],
      [start, 0x1000, is],
      [start + 0xfffn, 1, is],
      [start + 0xfffn, 2, false],
      [start - 1n, 1, false],
    ] as const)
      if (isWritable(maps, at, sizeBytes) !== expected) t.fail(`${index}: ${at.toString(16)} ${sizeBytes}`);
  }
  t.pass();
});

test('of a process that is gone there is no memory, nor when it has been closed', async (t) => {
  const child = spawn('sleep', ['60']);
  await once(child, 'spawn');
  const memory = new RunnerMemory(new MapsReader().turns(), child.pid ?? 0);
  child.kill('SIGKILL');
  await once(child, 'exit');
  await t.throwsAsync(memory.read(toExecutorAddr(0x40_0000n), 8), { code: 'INVALID_ADDRESS' });
  memory.close();
  memory.close();
  await t.throwsAsync(memory.read(toExecutorAddr(0x40_0000n), 8), { code: 'METHOD_NOT_ALLOWED' });
});
