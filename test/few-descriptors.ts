// Not a test: what happens in a process that has few descriptors left, as many as each argument after the first says, at each
// thing that a user of the library can do. A line of JSON for each thing that fails. The first argument is an executor's URL.
import { closeSync, mkdtempSync, openSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { FarJITError, JIT, JITPool } from '@farjit/compiler';
import { Server } from '@farjit/executor';

const say = (line: unknown) => process.stdout.write(`${JSON.stringify(line)}\n`);
process.on('uncaughtExceptionMonitor', (error, origin) => say({ origin, message: String(error) }));

/** Opens all descriptors but so many. @returns what closes them. */
function leave(count: number): () => void {
  const fds: number[] = [];
  try {
    for (;;) fds.push(openSync('/dev/null', 'r'));
  } catch {
    // Those are all.
  }
  for (const fd of fds.splice(0, count)) closeSync(fd);
  return () => {
    for (const fd of fds) closeSync(fd);
  };
}

async function use(jit: JIT | JITPool): Promise<void> {
  await jit.addIR('define i32 @twice(i32 %x) {\n  %y = mul i32 %x, 2\n  ret i32 %y\n}', { name: 'twice' });
  const twice = await jit.lookup('twice', 'i32(i32)');
  if ((await twice(4)) !== 8) throw new Error('twice(4) is not 8');
}

const directory = mkdtempSync(join(tmpdir(), 'farjit-few-'));
const [url = '', ...counts] = process.argv.slice(2);
const whole = await JIT.create();
const works: Record<string, () => Promise<unknown>> = {
  local: async () => {
    await using jit = await JIT.create({ cacheDir: join(directory, 'cache'), onEvent: () => {} });
    await use(jit);
  },
  remote: async () => {
    await using jit = await JIT.create({ executor: { url } });
    await use(jit);
  },
  pool: async () => {
    await using pool = await JITPool.connect(['local', url]);
    await use(pool);
  },
  server: async () => {
    await using server = new Server();
    const own = await server.listen(`ws+unix:${join(directory, 'own')}`);
    await using jit = await JIT.create({ executor: { url: own } });
    await use(jit);
  },
  C: () => whole.addC(`int c${Math.random().toString(36).slice(2)}(void) { return 1; }`, { language: 'c++' }),
};
for (const count of counts.map(Number))
  for (const [what, work] of Object.entries(works)) {
    const close = leave(count);
    const error: unknown = await work().then(
      () => undefined,
      (reason: unknown) => reason,
    );
    close();
    if (error === undefined) continue;
    const { name, message } = error as Error;
    say({
      count,
      what,
      isOurs: error instanceof FarJITError,
      code: (error as FarJITError).code,
      name,
      message,
    });
  }
// What has failed for want of descriptors does not when there are some.
for (const work of Object.values(works)) await work();
await whole.close();
rmSync(directory, { recursive: true });
say('done');
