import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { JIT, JITPool } from '@farjit/compiler';
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

test('whoever reads events too slowly is told how many were dropped, after those that were kept', async (t) => {
  await using jit = await JIT.create();
  const events = jit.events({ buffer: 2 });
  await jit.addIR('define i32 @one() {\n  ret i32 1\n}');
  await (await jit.lookup('one', 'i32()'))();
  t.is((await events.next()).done, false);
  t.is((await events.next()).done, false);
  // There is room again, so that what comes next is preceded by how many did not come.
  await (await jit.lookup('one', 'i32()'))();
  const { value: missed } = await events.next();
  t.is(missed?.type, 'events-missed');
  if (missed?.type === 'events-missed') {
    t.is(missed.where, 'reader');
    t.true(missed.count > 2);
  }
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

/** Programs that print, as C programs do it into a pipe. */
const PROGRAMS = `
${PRINTS}
declare i32 @usleep(i32)
@ctor = constant [4 x i8] c"ctor"
@llvm.global_ctors = appending global [1 x { i32, void ()*, i8* }] [{ i32, void ()*, i8* } { i32 65535, void ()* @begin, i8* null }]
define void @begin() {
  %text = getelementptr [4 x i8], [4 x i8]* @ctor, i64 0, i64 0
  %written = call i64 @write(i32 2, i8* %text, i64 4)
  ret void
}
define i32 @printsOne() {
  call void @print(i32 1)
  ret i32 1
}
define i32 @printsMany() {
  call void @print(i32 16384)
  ret i32 2
}
define i32 @prints() {
  call void @print(i32 1)
  ret i32 3
}
define i32 @printsLater() {
  %slept = call i32 @usleep(i32 200000)
  call void @print(i32 2)
  ret i32 4
}
`;

async function bytesIn(output: AsyncIterable<{ stream: string; content: Uint8Array }>) {
  const bytes = { stdout: 0, stderr: 0 };
  for await (const { stream, content } of output) bytes[stream as keyof typeof bytes] += content.byteLength;
  return bytes;
}

test('a program is iterated from its initialisers to its end, in place of all else that is told', async (t) => {
  const others: Uint8Array[] = [];
  const jit = await JIT.create({ onOutput: (_, content) => void others.push(content) });
  t.teardown(() => jit.close());
  await jit.addIR(assemble(PROGRAMS));
  const all = bytesIn(jit.output());
  const program = jit.runProgram({ entry: 'printsOne' });
  const output = program.output();
  t.deepEqual(await bytesIn(output), { stdout: 1024, stderr: 4 }, 'it ends by itself');
  t.like(await program, { exitCode: 1 });
  t.deepEqual(await output.next(), { value: undefined, done: true });
  // What was printed waits for who reads it later.
  const second = jit.runProgram({ entry: 'prints' });
  const later = second.output();
  t.like(await second, { exitCode: 3 });
  t.deepEqual(await bytesIn(later), { stdout: 1024, stderr: 4 });
  t.deepEqual(await bytesIn(second.output()), { stdout: 0, stderr: 0 }, 'it is over');
  await jit.runProgram({ entry: 'prints' });
  await jit.close();
  t.deepEqual(await all, { stdout: 1024, stderr: 4 }, 'of the program that nobody iterated');
  t.deepEqual(others, []);
  t.deepEqual(await bytesIn(jit.output()), { stdout: 0, stderr: 0 }, 'of a JIT that is closed');
});

test('a program is held back by who iterates it, and goes on when that is left', async (t) => {
  await using jit = await JIT.create({ onOutput: () => {} });
  await jit.addIR(assemble(PROGRAMS));
  let received = 0;
  jit.subscribe((event) => {
    if (event.type === 'output') received += event.content.byteLength;
  });
  const program = jit.runProgram({ entry: 'printsMany' });
  const output = program.output();
  let hasEnded = false;
  void program.then(() => {
    hasEnded = true;
  });
  await eventually(() => received > 1024 * 1024, 'it prints');
  await new Promise((resolve) => setTimeout(resolve, 500));
  t.true(received < 12 * 1024 * 1024, `${received} bytes are here, of 16 MiB`);
  t.false(hasEnded);
  for await (const { content } of output) if (content.byteLength > 0) break;
  t.like(await program, { exitCode: 2 });
  t.is(received, 16_384 * 1024 + 4);
});

test('an aborted program rejects, and its iteration ends, though nobody reads', async (t) => {
  await using jit = await JIT.create({ onOutput: () => {} });
  await jit.addIR(assemble(PROGRAMS));
  const controller = new AbortController();
  const program = jit.runProgram({ entry: 'printsMany', signal: controller.signal });
  const output = program.output();
  let received = 0;
  jit.subscribe((event) => {
    if (event.type === 'output') received += event.content.byteLength;
  });
  await eventually(() => received > 1024 * 1024, 'it prints');
  controller.abort();
  await t.throwsAsync(program, { name: 'AbortError' });
  t.true((await bytesIn(output)).stdout > 0);
  t.like(await jit.runProgram({ entry: 'printsOne' }), { exitCode: 1 });
});

test('a program that is refused takes nothing of the one that runs', async (t) => {
  await using jit = await JIT.create({ onOutput: () => {} });
  await jit.addIR(assemble(PROGRAMS));
  const first = jit.runProgram({ entry: 'printsLater' });
  const printed = bytesIn(first.output());
  const second = jit.runProgram({ entry: 'prints' });
  const none = bytesIn(second.output());
  const outcomes = await Promise.allSettled([first, second]);
  const codes = outcomes.map((one) =>
    one.status === 'fulfilled' ? one.value.exitCode : (one.reason as { code: string }).code,
  );
  t.deepEqual(codes.toSorted(), [codes.includes(3) ? 3 : 4, 'PROGRAM_RUNNING']);
  const expected = [codes[0] === 'PROGRAM_RUNNING' ? 0 : 2048, codes[1] === 'PROGRAM_RUNNING' ? 0 : 1024];
  t.deepEqual([(await printed).stdout, (await none).stdout], expected);
});

test('a pool tells what is printed, where, and what becomes of its executors', async (t) => {
  const told: string[] = [];
  const pool = await JITPool.connect(['local', 'local'], {
    onOutput: () => void told.push('output'),
    onExecutor: ({ state }) => void told.push(state),
  });
  t.teardown(() => pool.close());
  await pool.addIR(assemble(PRINTS));
  const output = pool.output();
  const changes = pool.changes();
  const print = await pool.lookup('print', 'void(i32)');
  await Promise.all([print(1), print(2)]);
  t.false(told.includes('output'));
  await pool.close();
  let readBytes = 0;
  for await (const { stream, content, url } of output) {
    t.deepEqual([stream, url], ['stdout', 'local']);
    readBytes += content.byteLength;
  }
  t.is(readBytes, 3 * 1024);
  const states: string[] = [];
  for await (const { state } of changes) states.push(state);
  t.deepEqual(states, ['removed', 'removed']);
  t.deepEqual(
    told.filter((state) => state === 'removed'),
    states,
  );
});

test('a program that fails while only its output is read is a rejection that nobody handles', async (t) => {
  const host = `
    import { JIT } from '@farjit/compiler';
    process.on('unhandledRejection', ({ code }) => process.exit(code === 'SYMBOLS_NOT_FOUND' ? 3 : 4));
    const jit = await JIT.create();
    for await (const _ of jit.runProgram({ entry: 'nowhere' }).output());
    await new Promise((resolve) => setTimeout(resolve, 1000));`;
  const ended = promisify(execFile)(process.execPath, ['--input-type=module', '-e', host]);
  t.is((await t.throwsAsync<Error & { code: number }>(ended))?.code, 3);
});
