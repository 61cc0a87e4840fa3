// Not a test: a program that uses a JIT or a pool and closes nothing, as the first argument says. It tells what processes there
// are, and ends when it has nothing to do any more.
import { setTimeout as delay } from 'node:timers/promises';
import { JIT, JITPool } from '@farjit/compiler';

const [kind = '', url = ''] = process.argv.slice(2);
const say = (line: unknown) => process.stdout.write(`${JSON.stringify(line)}\n`);
const isPool = kind.includes('pool');
const isOwn = kind.includes('own');
const options = { onOutput: () => {} };
const jit = isPool
  ? await JITPool.connect(isOwn ? ['local'] : [url], options)
  : await JIT.create({ ...options, executor: isOwn ? 'local' : { url, heartbeatMs: 500 } });
await jit.addIR(`
define i32 @twice(i32 %x) {
  %y = mul i32 %x, 2
  ret i32 %y
}
define void @forever() {
entry:
  br label %again
again:
  br label %again
}
`);
const twice = await jit.lookup('twice', 'i32(i32)');
const result = await twice(4);
const processes =
  jit instanceof JIT ? [jit.localExecutorProcessId ?? 0, jit.runner.processId].filter((id) => id > 0) : [];
say({ result, processes });
if (kind.includes('calling')) {
  const forever = await jit.lookup('forever', 'void()');
  // Not waited for, and still what keeps the program running.
  void forever.call([], { deadlineMs: 1500 }).catch(({ code }) => say({ code }));
}
if (kind.includes('lost') && jit instanceof JIT) {
  const keep = setInterval(() => {}, 1000);
  const lost = new Promise<void>((resolve) => {
    jit.subscribe(({ type }) => {
      if (type === 'connection-lost') resolve();
    });
  });
  say('ready');
  await lost;
  await delay(100);
  clearInterval(keep);
}
