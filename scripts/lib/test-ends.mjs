// Loaded by ava into the process of each test file: once its tests are done, nothing of theirs may keep it alive. Ava
// waits for that process without a limit, and so would a CI.
import test, { registerCompletionHandler } from 'ava';
import { descendantsOf, killAll } from './process-tree.mjs';

/** What was asked to close may take as long as a process that is killed on a busy machine. */
const PATIENCE_MS = 30_000;

registerCompletionHandler(() => {
  setTimeout(() => {
    const started = descendantsOf(process.pid);
    const words = started.map(({ id, command }) => `\n  process ${id}: ${command}`).join('');
    console.error(
      `${test.meta.file}: done, but kept alive by ${process.getActiveResourcesInfo().join(', ')}${words}`,
    );
    killAll(started);
    process.exit(1);
  }, PATIENCE_MS).unref();
});
