import { KaleidoscopeJIT, type SessionEvent } from '@farjit/compiler';
import { Server } from '@farjit/executor';
import test, { type ExecutionContext } from 'ava';
import { FaultProxy } from './faults/fault-proxy.js';
import { parseAssembly } from './ir-module.js';
import { eventually } from './jit-fixture.js';

const MIB = 1024 * 1024;
const TOKEN = 'a token';
const METHOD = 'stageCommit';

/** A module with so many bytes of data, and a function that adds up every thousandth of them. */
function moduleOf(name: string, sizeBytes: number): string {
  const letters = Buffer.alloc(sizeBytes);
  for (let index = 0; index < sizeBytes; index++) letters[index] = letterAt(index);
  const content = letters.toString('latin1');
  return `
@${name}_table = internal global [${sizeBytes} x i8] c"${content}"
define double @${name}(double %unused) {
entry:
  br label %next
next:
  %i = phi i64 [ 0, %entry ], [ %j, %next ]
  %sum = phi i64 [ 0, %entry ], [ %more, %next ]
  %p = getelementptr [${sizeBytes} x i8], [${sizeBytes} x i8]* @${name}_table, i64 0, i64 %i
  %b = load i8, i8* %p
  %w = zext i8 %b to i64
  %more = add i64 %sum, %w
  %j = add i64 %i, 1009
  %again = icmp ult i64 %j, ${sizeBytes}
  br i1 %again, label %next, label %done
done:
  %r = uitofp i64 %more to double
  ret double %r
}`;
}

/** Other bytes in each page, and in each megabyte. */
function letterAt(index: number): number {
  return 97 + ((index * 7 + (index >> 9)) % 26);
}

function sumOf(sizeBytes: number): number {
  let sum = 0;
  for (let index = 0; index < sizeBytes; index += 1009) sum += letterAt(index);
  return sum;
}

async function openWatched(t: ExecutionContext, executor?: { url: string; token: string }) {
  const events: SessionEvent[] = [];
  const jit = await KaleidoscopeJIT.create({
    ...(executor ? { executor } : {}),
    onEvent: (event) => events.push(event),
  });
  t.teardown(() => jit.close());
  const frames = (method: string) =>
    events.flatMap((event) =>
      event.type === 'frame' && event.method === method && event.direction === 'sent' ? event.sizeBytes : [],
    );
  return { jit, events, frames };
}

for (const [sizeBytes, leastParts, what] of [
  [64 * 1024, 0, 'in one frame'],
  [6 * MIB, 1, 'in parts'],
  [20 * MIB, 4, 'in several commits'],
] as const)
  test.serial(`${sizeBytes} bytes of data come with the first call, ${what}`, async (t) => {
    const { jit, frames } = await openWatched(t);
    await jit.addModule(parseAssembly(moduleOf('f', sizeBytes)));
    const f = await jit.lookup('f');
    const before = jit.statistics().roundTrips;
    t.is(await f(0), sumOf(sizeBytes));
    const { roundTrips } = jit.statistics();
    t.is((roundTrips.call ?? 0) - (before.call ?? 0), 1);
    t.is((roundTrips.reenter ?? 0) - (before.reenter ?? 0), 1);
    // Parts are not answered. Only what a commit cannot carry goes ahead in others.
    const commits = (roundTrips.commitMemory ?? 0) - (before.commitMemory ?? 0);
    t.true(sizeBytes > 8 * MIB ? commits > 0 : commits === 0, `${commits} commits`);
    const parts = frames(METHOD);
    t.true(parts.length >= leastParts, `${parts.length} parts`);
    if (leastParts === 0) t.is(parts.length, 0);
    t.true(parts.every((bytes) => bytes <= 4 * MIB));
  });

test.serial('a commit in parts whose connection is cut between them is applied once and whole', async (t) => {
  const server = new Server({ credentials: TOKEN });
  t.teardown(() => server.close());
  const proxy = await FaultProxy.listen(await server.listen('ws://127.0.0.1:0'));
  t.teardown(() => proxy.close());
  const { jit, events, frames } = await openWatched(t, { url: proxy.url, token: TOKEN });
  // In the first part, at its end, in the second one, and in the answer itself.
  for (const [index, afterBytes] of [MIB, 3 * MIB, 4 * MIB, 6.5 * MIB].entries()) {
    const name = `f${index}`;
    await jit.addModule(parseAssembly(moduleOf(name, 7 * MIB)));
    const f = await jit.lookup(name);
    const cut = proxy.inject({ fault: 'cut', afterBytes, way: 'up' });
    t.is(await f(0), sumOf(7 * MIB));
    await cut;
    await eventually(
      () => events.filter(({ type }) => type === 'connection-resumed').length === index + 1,
      'it was resumed',
    );
    t.is(await f(0), sumOf(7 * MIB));
  }
  t.true(frames(METHOD).length >= 8);
  t.false(events.some(({ type }) => type === 'runner-lost'));
  t.is((await jit.executorStatus()).generation, 1);
});
