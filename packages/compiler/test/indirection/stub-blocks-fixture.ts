import type { ExecutionContext } from 'ava';
import { ExecutorProcessControl } from '../../src/executor-client/executor-process-control.js';
import { StubBlocks } from '../../src/runner/stub-blocks.js';
import { type Answers, DEAF_HANDLERS, FakeHost } from '../executor-client/fake-host.js';

/** Blocks of the first runner of a scripted host. */
export async function openBlocks(
  t: ExecutionContext,
  answers: Partial<Answers> = {},
): Promise<{ host: FakeHost; executor: ExecutorProcessControl; blocks: StubBlocks }> {
  const host = new FakeHost(answers);
  const executor = await ExecutorProcessControl.open(host.transport, DEAF_HANDLERS);
  t.teardown(() => executor.disconnect());
  return { host, executor, blocks: new StubBlocks(executor, executor.runner) };
}
