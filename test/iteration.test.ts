import { EventsMissedError, JIT } from '@farjit/compiler';
import test from 'ava';
import { assemble } from '#compiler/test/llvm/assemble.js';
import { eventually } from './jit-fixture.js';

/** Of LLVM 14, which others read as bitcode. */
const PRINTS = `
@text = constant [1024 x i8] zeroinitializer
declare i64 @write(i32, i8*, i64)
define void @print(i32 %count) {
entry:
  br label %again
again:
  %i = phi i32 [ 0, %entry ], [ %next, %again ]
  %start = getelementptr [1024 x i8], [1024 x i8]* @text, i64 0, i64 0
  %written = call i64 @write(i32 1, i8* %start, i64 1024)
  %next = add i32 %i, 1
  %more = icmp slt i32 %next, %count
  br i1 %more, label %again, label %done
done:
  ret void
}
`;

test('events are iterated as they happen, until the JIT is closed', async (t) => {
  const jit = await JIT.create();
  const types: string[] = [];
  const events = jit.events();
  await jit.addIR('define i32 @one() {\n  ret i32 1\n}');
  const reading = (async () => {
    for await (const { type } of events) types.push(type);
  })();
  await (await jit.lookup('one', 'i32()'))();
  await jit.close();
  await reading;
  for (const type of ['defined', 'compiled', 'linked', 'called']) t.true(types.includes(type), type);
  t.deepEqual(await events.next(), { value: undefined, done: true });
});

test('whoever reads events too slowly is told, after those that were kept', async (t) => {
  await using jit = await JIT.create();
  const events = jit.events({ buffer: 2 });
  await jit.addIR('define i32 @one() {\n  ret i32 1\n}');
  await (await jit.lookup('one', 'i32()'))();
  t.is((await events.next()).done, false);
  t.is((await events.next()).done, false);
  await t.throwsAsync(events.next(), { instanceOf: EventsMissedError, code: 'EVENTS_MISSED' });
  t.true((await events.next()).done);
  t.throws(() => jit.events({ buffer: 0 }), { code: 'BAD_ARGUMENT' });
});

test('output is iterated in place of onOutput, and a slow reader holds the program back', async (t) => {
  const others: Uint8Array[] = [];
  await using jit = await JIT.create({ onOutput: (_, content) => void others.push(content) });
  await jit.addIR(assemble(PRINTS));
  const print = await jit.lookup('print', 'void(i32)');
  let received = 0;
  jit.subscribe((event) => {
    if (event.type === 'output') received += event.content.byteLength;
  });
  const output = jit.output();
  let hasReturned = false;
  const called = print(16_384).then(() => {
    hasReturned = true;
  });
  await eventually(() => received > 1024 * 1024, 'it prints');
  await new Promise((resolve) => setTimeout(resolve, 500));
  t.false(hasReturned);
  t.true(received < 12 * 1024 * 1024, `${received} bytes are here, of 16 MiB`);
  let readBytes = 0;
  for await (const { stream, content } of output) {
    t.is(stream, 'stdout');
    readBytes += content.byteLength;
    if (readBytes === 16_384 * 1024) break;
  }
  await called;
  t.deepEqual(others, []);
  await print(1);
  t.is(others.length, 1, 'and then again what onOutput does');
});

test('the iteration of output ends with the JIT, after what was printed', async (t) => {
  const jit = await JIT.create();
  await jit.addIR(assemble(PRINTS));
  const output = jit.output();
  await (await jit.lookup('print', 'void(i32)'))(3);
  await jit.close();
  let readBytes = 0;
  for await (const { content } of output) readBytes += content.byteLength;
  t.is(readBytes, 3072);
});
