import { spawn } from 'node:child_process';
import { once } from 'node:events';
import test from 'ava';
import { eventually } from './jit-fixture.js';
import { isAlive } from './proc.js';

const url = (path: string) => JSON.stringify(new URL(path, import.meta.url).href);

/** What starts an executor and says its process. */
const STARTS = {
  'a fuzzer of runners': `
    const { FuzzedHost } = await import(${url('./fuzz/runner/host.js')});
    console.log((await FuzzedHost.start([])).processId);`,
  'a test': `
    const { startExecutor, socketUrl } = await import(${url('./executor-process.js')});
    const t = { teardown() {} };
    console.log((await startExecutor(t)).child.pid);`,
  'a benchmark': `
    const { RunningExecutor } = await import(${url('../../bench/dist/running-executor.js')});
    const { socketUrl } = await import(${url('./executor-process.js')});
    console.log((await RunningExecutor.listen(socketUrl({ teardown() {} }))).processId);`,
};

for (const [what, start] of Object.entries(STARTS))
  test(`an executor ends with ${what} that is killed`, async (t) => {
    const script = `${start}\nsetInterval(() => {}, 1000);`;
    const starter = spawn(process.execPath, ['--input-type=module', '--eval', script], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    t.teardown(() => starter.kill('SIGKILL'));
    const [said] = await once(starter.stdout, 'data');
    const processId = Number(said);
    t.true(isAlive(processId));
    starter.kill('SIGKILL');
    await eventually(() => !isAlive(processId), 'the executor is gone');
    t.pass();
  });
