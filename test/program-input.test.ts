import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { PassThrough, Readable } from 'node:stream';
import { run } from '@farjit/protocol';
import test, { type ExecutionContext } from 'ava';
import { parseAssembly } from './ir-module.js';
import { eventually, openJIT } from './jit-fixture.js';

const READERS = `
declare i64 @read(i32, i8*, i64)
declare i64 @write(i32, i8*, i64)
declare i32 @close(i32)
declare i32 @isatty(i32)
declare i32 @getchar()
declare i32 @usleep(i32)
declare i32 @puts(i8*)
declare i32 @pause()
@chunk = global [65536 x i8] zeroinitializer
@here = private constant [5 x i8] c"here\\00"
define i32 @cat() {
entry:
  br label %next
next:
  %got = call i64 @read(i32 0, i8* getelementptr ([65536 x i8], [65536 x i8]* @chunk, i64 0, i64 0), i64 65536)
  %isEnd = icmp sle i64 %got, 0
  br i1 %isEnd, label %end, label %some
some:
  %put = call i64 @write(i32 1, i8* getelementptr ([65536 x i8], [65536 x i8]* @chunk, i64 0, i64 0), i64 %got)
  %isShort = icmp ne i64 %put, %got
  br i1 %isShort, label %wrong, label %next
wrong:
  ret i32 1
end:
  ret i32 0
}
define i32 @first() {
  %c = call i32 @getchar()
  ret i32 %c
}
define i32 @terminal() {
  %r = call i32 @isatty(i32 0)
  ret i32 %r
}
define i32 @neverReads() {
  call i32 @usleep(i32 100000)
  ret i32 3
}
define i32 @waits() {
  call i32 @puts(i8* getelementptr ([5 x i8], [5 x i8]* @here, i64 0, i64 0))
  call i32 @pause()
  ret i32 0
}
define i32 @closes() {
  call i32 @close(i32 0)
  call i32 @pause()
  ret i32 5
}
define i32 @one() { ret i32 1 }`;

async function openReaders(t: ExecutionContext, options = {}) {
  const opened = await openJIT(t, options);
  await opened.jit.addModule(parseAssembly(READERS));
  return opened;
}

const END_OF_FILE = 255;

test('without input a program is at the end of it at once, and so is a call', async (t) => {
  const { jit } = await openReaders(t);
  const first = await jit.lookup('first');
  t.is(await first(), -1);
  t.like(await jit.runProgram({ entry: 'first' }), { exitCode: END_OF_FILE });
  t.like(await jit.runProgram({ entry: 'first', stdin: '' }), { exitCode: END_OF_FILE });
});

test('a program reads what it is given, also after a call that was at the end', async (t) => {
  const { jit, printed } = await openReaders(t);
  const first = await jit.lookup('first');
  t.is(await first(), -1);
  t.like(await jit.runProgram({ entry: 'first', stdin: 'x' }), { exitCode: 'x'.charCodeAt(0) });
  t.like(await jit.runProgram({ entry: 'cat', stdin: 'ü\n' }), { exitCode: 0 });
  t.like(await jit.runProgram({ entry: 'cat', stdin: Buffer.from('bytes\n') }), { exitCode: 0 });
  async function* lines() {
    for (const line of ['one\n', Buffer.from('two\n'), '', 'three\n']) yield line;
  }
  t.like(await jit.runProgram({ entry: 'cat', stdin: lines() }), { exitCode: 0 });
  t.like(await jit.runProgram({ entry: 'cat', stdin: ['four\n', 'five\n'] }), { exitCode: 0 });
  t.is(printed(), 'ü\nbytes\none\ntwo\nthree\nfour\nfive\n');
  t.like(await jit.runProgram({ entry: 'terminal', stdin: 'x' }), { exitCode: 0 });
  t.like(await jit.runProgram({ entry: 'terminal' }), { exitCode: 0 });
});

for (const sizeBytes of [0, 1, run.MAX_INPUT_BYTES, run.MAX_INPUT_BYTES + 1])
  test(`${sizeBytes} bytes that are there come with their program as far as a message holds them`, async (t) => {
    const messages: string[] = [];
    const { jit, printed } = await openReaders(t);
    jit.subscribe((event) => {
      if (event.type === 'frame') messages.push(event.method);
    });
    t.like(await jit.runProgram({ entry: 'cat', stdin: 'x'.repeat(sizeBytes) }), { exitCode: 0 });
    t.is(printed(), 'x'.repeat(sizeBytes));
    const isWhole = sizeBytes <= run.MAX_INPUT_BYTES;
    t.is(messages.includes('programInput'), !isWhole);
    t.is(messages.includes('inputTaken'), !isWhole);
  });

test('ten megabytes through a program arrive whole', async (t) => {
  const [sent, received] = [createHash('sha256'), createHash('sha256')];
  let receivedBytes = 0;
  const { jit } = await openReaders(t, {
    onOutput: (_stream: string, content: Uint8Array) => {
      received.update(content);
      receivedBytes += content.byteLength;
    },
  });
  function* chunks() {
    // Of sizes that fit no buffer, from bytes to more than a message takes.
    for (let sentBytes = 0, index = 0; sentBytes < 10_000_000; index++) {
      const chunk = Buffer.alloc([1, 4093, 70_001, 200_003][index % 4] ?? 1, index);
      sent.update(chunk);
      sentBytes += chunk.byteLength;
      yield chunk;
    }
  }
  t.like(await jit.runProgram({ entry: 'cat', stdin: Readable.from(chunks()) }), { exitCode: 0 });
  t.true(receivedBytes >= 10_000_000);
  t.is(received.digest('hex'), sent.digest('hex'));
});

test('a program that never reads holds up nothing, and its source is asked for no more than is on its way', async (t) => {
  const { jit, printed } = await openReaders(t);
  let asked = 0;
  let isReturned = false;
  async function* endless() {
    try {
      for (;;) {
        asked++;
        yield new Uint8Array(64 * 1024);
      }
    } finally {
      isReturned = true;
    }
  }
  const controller = new AbortController();
  const running = jit.runProgram({
    entry: 'waits',
    stdin: endless(),
    lineBuffered: true,
    signal: controller.signal,
  });
  await eventually(() => asked >= 5, 'as much is sent as may be');
  await eventually(() => printed() === 'here\n', 'it has begun');
  const one = await jit.lookup('one');
  for (let count = 0; count < 20; count++) t.is(await one(), 1);
  // A pipe full, what the executor holds, and the one that waits.
  t.true(asked <= 1 + 4 + 1, `${asked}`);
  controller.abort();
  await t.throwsAsync(running, { code: 'CANCELLED' });
  await eventually(() => isReturned, 'its source is let go');
  t.like(await jit.runProgram({ entry: 'neverReads', stdin: endless() }), { exitCode: 3 });
});

test('a program that closes its input is sent no more, and its stream is destroyed', async (t) => {
  const { jit } = await openReaders(t);
  const stream = new PassThrough();
  const closed = once(stream, 'close');
  const controller = new AbortController();
  const running = jit.runProgram({ entry: 'closes', stdin: stream, signal: controller.signal });
  const writing = setInterval(() => stream.destroyed || stream.write('more\n'), 5);
  t.teardown(() => clearInterval(writing));
  // While it runs: it ends by the signal alone.
  await closed;
  controller.abort();
  await t.throwsAsync(running, { code: 'CANCELLED' });
});

test('a program ends while its source is silent', async (t) => {
  const { jit } = await openReaders(t);
  const stream = new PassThrough();
  stream.write('x');
  t.like(await jit.runProgram({ entry: 'first', stdin: stream }), { exitCode: 'x'.charCodeAt(0) });
  t.true(stream.destroyed);
});

test('a program whose input fails is ended, and the error says why', async (t) => {
  const { jit } = await openReaders(t);
  const cause = new Error('the disk is on fire');
  async function* burning() {
    yield 'some';
    throw cause;
  }
  const error = await t.throwsAsync(jit.runProgram({ entry: 'cat', stdin: burning() }), {
    code: 'PROGRAM_INPUT_FAILED',
    message: 'cat was ended, for its input failed: the disk is on fire',
  });
  t.is(error?.cause, cause);
  t.is(await (await jit.lookup('one'))(), 1);
});

test('a stream that gives neither bytes nor strings is an input that fails', async (t) => {
  const { jit } = await openReaders(t);
  await t.throwsAsync(jit.runProgram({ entry: 'cat', stdin: Readable.from([1]) }), {
    code: 'PROGRAM_INPUT_FAILED',
    message: /it has a number where bytes or a string belong/,
  });
});

test('closing the session ends a program that waits for its input, and lets the source go', async (t) => {
  const { jit, printed } = await openReaders(t);
  const stream = new PassThrough();
  const running = jit.runProgram({ entry: 'waits', stdin: stream, lineBuffered: true });
  const ended = t.throwsAsync(running);
  await eventually(() => printed() === 'here\n', 'it has begun');
  await jit.close();
  await ended;
  t.true(stream.destroyed);
});
