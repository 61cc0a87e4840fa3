import { execFileSync, spawn } from 'node:child_process';
import { constants, mkdtempSync, openSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import test, { type ExecutionContext } from 'ava';
import { InheritedExecutor } from '../../src/executor-client/executor-process.js';
import { ExecutorStartError, LocalExecutor } from '../../src/executor-client/local-executor.js';

/** An executor whose main file is this. */
function startScript(t: ExecutionContext, script: string, startTimeoutMs?: number): LocalExecutor {
  const directory = mkdtempSync(join(tmpdir(), 'farjit-test-'));
  t.teardown(() => rmSync(directory, { recursive: true }));
  const entry = join(directory, 'executor.mjs');
  writeFileSync(entry, script);
  const executor = LocalExecutor.start({ entry, ...(startTimeoutMs && { startTimeoutMs }) });
  t.teardown(() => executor.stop());
  return executor;
}

function isAlive(processId: number | undefined): boolean {
  try {
    return processId !== undefined && process.kill(processId, 0);
  } catch {
    return false;
  }
}

test('it is connected to over its inherited socket, and ends when it is stopped', async (t) => {
  const executor = LocalExecutor.start();
  const transport = await executor.connect();
  t.true(isAlive(executor.processId));
  transport.close(1000, 'done');
  await executor.stop();
  t.false(isAlive(executor.processId));
  await executor.stop();
});

test('a main file that is missing', async (t) => {
  const executor = LocalExecutor.start({ entry: '/nonexistent/farjit-executor.js' });
  const error = await t.throwsAsync(executor.connect(), { instanceOf: ExecutorStartError });
  t.is(error?.message, 'the executor could not be started: it ended with exit code 1 before it answered');
  t.is(error?.code, 'EXECUTOR_START_FAILED');
});

test('an executor that exits at once', async (t) => {
  const executor = startScript(t, 'process.exit(3);');
  const error = await t.throwsAsync(executor.connect(), { instanceOf: ExecutorStartError });
  t.regex(error?.message ?? '', /it ended with exit code 3 before it answered$/);
});

test('an executor that has ended before it is connected to', async (t) => {
  const executor = startScript(t, 'process.exit(3);');
  while (isAlive(executor.processId)) await delay(5);
  // Node tells of the exit, and ends the socket, in turns of the event loop after it.
  await delay(50);
  const error = await t.throwsAsync(executor.connect(), { instanceOf: ExecutorStartError });
  t.regex(error?.message ?? '', /it ended with exit code 3 before it answered$/);
});

test('an executor that is killed', async (t) => {
  const executor = startScript(t, "process.kill(process.pid, 'SIGKILL');");
  const error = await t.throwsAsync(executor.connect(), { instanceOf: ExecutorStartError });
  t.regex(error?.message ?? '', /it was killed by SIGKILL$/);
});

test('an executor that neither answers nor ends is ended, and said to be silent', async (t) => {
  const executor = startScript(t, 'setInterval(() => {}, 1000);', 500);
  const error = await t.throwsAsync(executor.connect(), { instanceOf: ExecutorStartError });
  t.is(error?.message, 'the executor could not be started: it has not answered within 0.5 s');
  t.false(isAlive(executor.processId));
});

test('an executor that speaks something else', async (t) => {
  const executor = startScript(
    t,
    "import { Socket } from 'node:net'; new Socket({ fd: 3, writable: true }).end('hello');",
  );
  const error = await t.throwsAsync(executor.connect(), { instanceOf: ExecutorStartError });
  t.regex(String(error?.cause), /Invalid WebSocket frame/);
});

test('one that was inherited and has been reaped is not killed: its number may be another process', async (t) => {
  const directory = mkdtempSync(join(tmpdir(), 'farjit-test-'));
  t.teardown(() => rmSync(directory, { recursive: true }));
  const path = join(directory, 'pipe');
  execFileSync('mkfifo', [path]);
  const child = spawn('true', { stdio: 'ignore' });
  child.unref();
  const { pid: processId = 0 } = child;
  const executor = new InheritedExecutor({
    socketFd: openSync(path, constants.O_RDWR | constants.O_NONBLOCK),
    processId,
  });
  t.teardown(() => executor.socket.destroy());
  await executor.ended();
  t.false(isAlive(processId));
  t.notThrows(() => executor.kill());
});

test('one that does not end when its socket does is killed', async (t) => {
  const executor = startScript(t, 'setInterval(() => {}, 1000);');
  const { processId } = executor;
  await executor.stop();
  t.false(isAlive(processId));
});
