import { closeSync, openSync, readlinkSync, readSync } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';
import test, { type ExecutionContext } from 'ava';
import { Guard } from '../src/guard.js';
import { close, pipe, spawnProgram, waitForChild } from '../src/native/libc.js';
import { RunnerChild } from '../src/runner-child.js';
import { until } from './session-fixture.js';

/** ECHILD, of which Node has no name. */
const NO_CHILD = /^wait4\(\d+, WNOHANG\) failed: .*10$/;

/** What a program prints, when it is started with these descriptors beside its output. */
async function printedBy(t: ExecutionContext, script: string, more: readonly (number | undefined)[] = []) {
  const { readFd, writeFd } = pipe();
  const args = ['sh', '-c', script];
  const processId = spawnProgram('/bin/sh', { args, descriptors: [undefined, writeFd, writeFd, ...more] });
  close(writeFd);
  const chunk = Buffer.alloc(65_536);
  let text = '';
  for (let size = -1; size !== 0; text += chunk.toString('latin1', 0, size)) size = readSync(readFd, chunk);
  close(readFd);
  let ended = waitForChild(processId);
  for (; !ended; ended = waitForChild(processId)) await delay(1);
  t.throws(() => waitForChild(processId), { message: NO_CHILD });
  return { text, ended };
}

test('a program is started in /, without an environment, with no signal ignored or blocked, and with its descriptors', async (t) => {
  const file = openSync('/dev/zero', 'r');
  const script = `pwd; env; grep -E 'Sig(Blk|Ign)' /proc/self/status; ls -l /proc/$$/fd | sed -n 's/.* \\([0-9]* -> \\)/\\1/p'; exit 7`;
  const { text, ended } = await printedBy(t, script, [undefined, file]);
  closeSync(file);
  t.like(ended, { code: 7, signal: null });
  const [directory, ...rest] = text.split('\n');
  t.is(directory, '/');
  // What sh itself puts there.
  t.deepEqual(
    rest.filter((line) => /^[A-Z_]+=/.test(line) && !/^(PWD|OLDPWD|SHLVL|_)=/.test(line)),
    [],
  );
  t.regex(text, /SigBlk:\t0+\nSigIgn:\t0+\n/);
  // Whoever started the tests may have left others open, as a runner closes them itself.
  const descriptors = rest.filter((line) => /^[0-4] -> /.test(line));
  t.deepEqual(
    descriptors.map((line) => line.replace(/pipe:.*/, 'pipe')),
    ['0 -> /dev/null', '1 -> pipe', '2 -> pipe', '3 -> /dev/null', '4 -> /dev/zero'],
  );
});

test('descriptors that are numbered as their targets are not taken for each other', async (t) => {
  const { readFd, writeFd } = pipe();
  // In this process 0 to 2 are open, and are no targets of themselves here.
  const args = ['sh', '-c', 'readlink /proc/$$/fd/3 /proc/$$/fd/4'];
  const processId = spawnProgram('/bin/sh', { args, descriptors: [undefined, writeFd, 2, 2, 1] });
  close(writeFd);
  const chunk = Buffer.alloc(4096);
  const size = readSync(readFd, chunk);
  close(readFd);
  const [third, fourth] = chunk.toString('latin1', 0, size).trim().split('\n');
  t.deepEqual([third, fourth], [readlinkSync('/proc/self/fd/2'), readlinkSync('/proc/self/fd/1')]);
  await until(() => waitForChild(processId) !== undefined);
});

test('what has ended by a signal says which, and what cannot be started says why', async (t) => {
  const { ended } = await printedBy(t, 'kill -9 $$');
  t.like(ended, { code: null, signal: 9 });
  t.throws(() => spawnProgram('/nowhere/at/all', { args: ['x'], descriptors: [] }), { message: /ENOENT/ });
  t.throws(() => waitForChild(1), { message: NO_CHILD });
});

test.serial(
  'a child is waited for when it is killed, when it has left its doorbell, and when nobody expects it',
  async (t) => {
    const exits: string[] = [];
    const guard = new Guard({ onFault: (_place, error) => t.fail(String(error)) });
    for (const name of ['killed', 'left', 'looked at'] as const) {
      const ends = pipe();
      const bells = pipe();
      const child = new RunnerChild('/bin/cat', {
        guard,
        descriptors: [ends.readFd, 2, 2, bells.writeFd],
        onExit: () => exits.push(name),
      });
      const bell = Buffer.alloc(8);
      t.is(readSync(bells.readFd, bell), 8);
      child.launched(bell.readUInt32LE(4));
      child.look();
      t.is(child.exit, undefined);
      close(ends.readFd);
      if (name === 'killed') child.kill();
      close(ends.writeFd);
      if (name === 'left') child.left();
      await until(() => {
        if (name === 'looked at') child.look();
        return exits.includes(name);
      });
      t.deepEqual(
        child.exit,
        name === 'killed' ? { code: null, signal: 'SIGKILL' } : { code: 0, signal: null },
      );
      // One that is killed may not be `cat` yet.
      const peakBytes = child.use?.peakMemoryBytes ?? -1;
      t.true(peakBytes >= (name === 'killed' ? 0 : 100_000) && peakBytes < 16e6, `${name}: ${peakBytes}`);
      // It has been waited for: its number may be another's.
      child.kill();
      t.throws(() => process.kill(child.processId, 0), { code: 'ESRCH' });
      for (const fd of [bells.readFd, bells.writeFd]) close(fd);
    }
    t.deepEqual(exits, ['killed', 'left', 'looked at']);
  },
);

test.serial('a launcher that ends in silence has launched nothing, which is known at once', async (t) => {
  const guard = new Guard({ onFault: (_place, error) => t.fail(String(error)) });
  const bells = pipe();
  let exitCount = 0;
  const child = new RunnerChild('/bin/cat', {
    guard,
    launcherPath: '/bin/true',
    descriptors: [undefined, 2, 2, bells.writeFd],
    onExit: () => exitCount++,
  });
  close(bells.writeFd);
  t.is(readSync(bells.readFd, Buffer.alloc(8)), 0);
  close(bells.readFd);
  child.left();
  await until(() => exitCount > 0);
  t.deepEqual([child.exit, exitCount], [{ code: 0, signal: null }, 1]);
  child.kill();
});

test.serial(
  'a child that is killed before it is known ends as well, and nothing else is killed',
  async (t) => {
    const guard = new Guard({ onFault: (_place, error) => t.fail(String(error)) });
    for (const pauseMs of [0, 0, 1, 5, 50]) {
      const ends = pipe();
      const bells = pipe();
      let exitCount = 0;
      const onExit = () => exitCount++;
      const descriptors = [ends.readFd, 2, 2, bells.writeFd];
      const child = new RunnerChild('/bin/cat', { guard, descriptors, onExit });
      close(bells.writeFd);
      close(ends.readFd);
      await delay(pauseMs);
      child.kill();
      // As often as somebody wants it to.
      await delay(30);
      child.kill();
      const bell = Buffer.alloc(8);
      const hasLaunched = readSync(bells.readFd, bell) === 8;
      const processId = bell.readUInt32LE(4);
      if (hasLaunched) child.launched(processId);
      await until(() => exitCount === 1 || child.exit !== undefined);
      t.is(child.exit?.signal, 'SIGKILL', `${pauseMs} ms, ${hasLaunched ? 'launched' : 'not launched'}`);
      if (hasLaunched) t.throws(() => process.kill(processId, 0), { code: 'ESRCH' });
      for (const fd of [ends.writeFd, bells.readFd]) close(fd);
    }
  },
);
