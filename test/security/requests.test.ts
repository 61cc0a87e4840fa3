import { readFileSync } from 'node:fs';
import test from 'ava';
import { socketUrl, startExecutor } from '../executor-process.js';
import { addFunction, openRaw, PARTS_AT_ONCE, REQUEST_FLOODS } from './floods.js';

const MIB = 1024 * 1024;
/** Requests of one flood. */
const COUNT = process.env.FARJIT_SECURITY === 'long' ? 200_000 : 1200;
/** As many as may be under way. */
const AT_ONCE = 1000;
/** What one session may make its host keep, whatever it asks for. */
const SESSION_BOUND_BYTES = 128 * MIB;

function anonymousBytes(processId: number): number {
  const status = readFileSync(`/proc/${processId}/status`, 'latin1');
  return Number(/^RssAnon:\s+(\d+) kB/m.exec(status)?.[1]) * 1024;
}

for (const [what, flood] of Object.entries(REQUEST_FLOODS))
  test.serial(
    `a flood of requests leaves neighbours their turn and the host its memory: ${what}`,
    async (t) => {
      const { url, child } = await startExecutor(t, socketUrl(t));
      const processId = child.pid ?? 0;
      const neighbourSession = await openRaw(url);
      const call = await addFunction(neighbourSession);
      const hostile = await openRaw(url);
      t.teardown(() => {
        for (const { connection } of [neighbourSession, hostile]) connection.close();
      });
      const ask = await flood(hostile);
      await call();
      const beforeBytes = anonymousBytes(processId);

      let isOver = false;
      let calls = 0;
      let callsAtHalf = 0;
      const neighbour = (async () => {
        for (; !isOver; calls++) await call();
      })();
      let mostBytes = 0;
      const refusals = new Set<string>();
      const [count, atOnce] = what === 'parts' ? [COUNT / 10, PARTS_AT_ONCE] : [COUNT, AT_ONCE];
      for (let done = 0; done < count && !hostile.connection.isClosed; done += atOnce) {
        const batch = Array.from({ length: Math.min(atOnce, count - done) }, (_, i) => ask(done + i));
        for (const result of await Promise.allSettled(batch))
          if (result.status === 'rejected') refusals.add((result.reason as { code: string }).code);
        mostBytes = Math.max(mostBytes, anonymousBytes(processId) - beforeBytes);
        if (callsAtHalf === 0) callsAtHalf = calls;
      }
      isOver = true;
      await neighbour;
      t.log(`${calls} calls meanwhile, ${Math.ceil(mostBytes / MIB)} MiB, ${[...refusals]}`);
      t.true(callsAtHalf > 0, 'the neighbour is served before the first requests are all answered');
      t.true(mostBytes < SESSION_BOUND_BYTES, `${mostBytes} bytes`);
      t.true(
        [...refusals].every((code) =>
          ['LIMIT_EXCEEDED', 'CONNECTION_CLOSED', 'STALE_GENERATION', 'RUNNER_LOST'].includes(code),
        ),
        `${[...refusals]}`,
      );
    },
  );
