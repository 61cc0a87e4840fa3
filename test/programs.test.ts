// More than 400 lines: cases that share what stands before them, each by itself.

import type { KaleidoscopeJITOptions, SessionEvent } from '@farjit/compiler';
import test, { type ExecutionContext } from 'ava';
import { parseAssembly } from './ir-module.js';
import { evaluateAll, eventually, openJIT } from './jit-fixture.js';

/** A session with a program in it. */
async function openProgram(t: ExecutionContext, assembly: string, options: KaleidoscopeJITOptions = {}) {
  const lost: Extract<SessionEvent, { type: 'runner-lost' }>[] = [];
  const opened = await openJIT(t, {
    ...options,
    onEvent: (event) => {
      if (event.type === 'runner-lost') lost.push(event);
    },
  });
  await opened.jit.addModule(parseAssembly(assembly));
  return { ...opened, lost };
}

/** `@text = "…\n"`, for puts and printf. */
const constant = (name: string, text: string) =>
  `@${name} = private constant [${Buffer.byteLength(text) + 1} x i8] c"${text.replaceAll('\n', '\\0A')}\\00"`;
const address = (name: string, text: string) => {
  const type = `[${Buffer.byteLength(text) + 1} x i8]`;
  return `i8* getelementptr (${type}, ${type}* @${name}, i64 0, i64 0)`;
};

for (const [what, main, exitCode] of [
  ['main(void)', 'define i32 @main() { ret i32 7 }', 7],
  ['main(argc, argv)', 'define i32 @main(i32 %c, i8** %v) { ret i32 %c }', 3],
  ['a code is a byte', 'define i32 @main() { ret i32 -1 }', 255],
] as const)
  test(`what main returns is the exit code: ${what}`, async (t) => {
    const { jit } = await openProgram(t, main);
    t.like(await jit.runProgram({ argv: ['a', 'b', 'c'] }), { exitCode });
  });

test('a program may begin with what others do not see', async (t) => {
  const { jit } = await openProgram(t, 'define hidden i32 @main() { ret i32 7 }');
  t.like(await jit.runProgram(), { exitCode: 7 });
});

test('main is passed its environment, too', async (t) => {
  const { jit, printed } = await openProgram(
    t,
    `
declare i32 @puts(i8*)
define i32 @main(i32 %c, i8** %v, i8** %e) {
  %first = load i8*, i8** %e
  call i32 @puts(i8* %first)
  ret i32 0
}`,
  );
  t.like(await jit.runProgram({ env: { A: '1=2' } }), { exitCode: 0 });
  t.is(printed(), 'A=1=2\n');
});

const LEAVES = `
declare void @exit(i32)
declare void @_exit(i32)
declare i32 @atexit(void ()*)
declare i32 @puts(i8*)
declare i32 @putchar(i32)
declare i32 @pthread_create(i64*, i8*, i8* (i8*)*, i8*)
declare i32 @pthread_join(i64, i8**)
declare void @pthread_exit(i8*)
declare i32 @usleep(i32)
${constant('bye', 'bye')}
define void @lazyBye() {
  call i32 @puts(${address('bye', 'bye')})
  ret void
}
define void @atEnd() {
  call void @lazyBye()
  ret void
}
define i8* @leave(i8* %code) {
  %wide = ptrtoint i8* %code to i64
  %narrow = trunc i64 %wide to i32
  call void @exit(i32 %narrow)
  ret i8* null
}
define i8* @sleepAndPrint(i8* %ignored) {
  call i32 @usleep(i32 50000)
  call void @lazyBye()
  ret i8* null
}
define i32 @exits() {
  call i32 @atexit(void ()* @atEnd)
  call i32 @putchar(i32 65)
  call void @exit(i32 4)
  ret i32 9
}
define i32 @returns() {
  call i32 @atexit(void ()* @atEnd)
  ret i32 5
}
define i32 @exitsAtOnce() {
  call i32 @atexit(void ()* @atEnd)
  call i32 @putchar(i32 65)
  call void @_exit(i32 3)
  ret i32 9
}
define i32 @exitsFromThread() {
  %thread = alloca i64
  call i32 @atexit(void ()* @atEnd)
  call i32 @pthread_create(i64* %thread, i8* null, i8* (i8*)* @leave, i8* inttoptr (i64 6 to i8*))
  %id = load i64, i64* %thread
  call i32 @pthread_join(i64 %id, i8** null)
  ret i32 9
}
define i32 @mainEndsFirst() {
  %thread = alloca i64
  call i32 @atexit(void ()* @atEnd)
  call i32 @pthread_create(i64* %thread, i8* null, i8* (i8*)* @sleepAndPrint, i8* null)
  call void @pthread_exit(i8* null)
  ret i32 9
}
define i32 @threadExitsAfterMain() {
  %thread = alloca i64
  call i32 @pthread_create(i64* %thread, i8* null, i8* (i8*)* @leave, i8* inttoptr (i64 8 to i8*))
  call void @pthread_exit(i8* null)
  ret i32 9
}`;

for (const [entry, exitCode, output] of [
  ['exits', 4, 'Abye\n'],
  ['returns', 5, 'bye\n'],
  ['exitsAtOnce', 3, ''],
  ['exitsFromThread', 6, 'bye\n'],
  ['mainEndsFirst', 0, 'bye\nbye\n'],
  ['threadExitsAfterMain', 8, ''],
] as const)
  test(`a program ends as C says, with handlers that are compiled at its end: ${entry}`, async (t) => {
    const { jit, printed, lost } = await openProgram(t, LEAVES);
    t.like(await jit.runProgram({ entry }), { exitCode });
    t.is(printed(), output);
    t.deepEqual(
      lost.map(({ end }) => end),
      [{ kind: 'exit', status: exitCode }],
      'told of once',
    );
    // The next call has a new runner.
    t.like(await jit.runProgram({ entry }), { exitCode });
    t.deepEqual(await evaluateAll(jit, '1 + 2;'), [3]);
    t.is(jit.statistics().modulesCompiled, 1);
  });

test('death by a signal is 128 and its number; a trap says where; what stdout holds is lost, as natively', async (t) => {
  const { jit, printed, lost } = await openProgram(
    t,
    `
declare void @abort()
declare i32 @raise(i32)
declare i32 @putchar(i32)
define i32 @store() {
  store i32 1, i32* inttoptr (i64 16 to i32*)
  ret i32 0
}
define i32 @traps() {
  call i32 @putchar(i32 66)
  %r = call i32 @store()
  ret i32 %r
}
define double @called() {
  call i32 @putchar(i32 67)
  call i32 @store()
  ret double 0.0
}
define i32 @aborts() {
  call i32 @putchar(i32 68)
  call void @abort()
  ret i32 0
}
define i32 @terminates() {
  call i32 @putchar(i32 69)
  call i32 @raise(i32 15)
  ret i32 0
}`,
  );
  const { trap, ...died } = await jit.runProgram({ entry: 'traps' });
  t.like(died, { exitCode: 128 + 11, signal: 'SIGSEGV' });
  t.is(trap?.symbol, 'store');
  t.is(trap?.trap.faultAddress as bigint, 16n);
  t.is(printed(), '');
  t.like(await jit.runProgram({ entry: 'aborts' }), { exitCode: 128 + 6, signal: 'SIGABRT' });
  t.like(await jit.runProgram({ entry: 'terminates' }), { exitCode: 128 + 15, signal: 'SIGTERM' });
  t.is(printed(), '');
  // Who calls a function has no other way to hear of it.
  const called = await jit.lookup('called');
  await t.throwsAsync(called(), { code: 'EXECUTION_TRAP' });
  t.is(printed(), 'C');
  t.deepEqual(
    lost.map(({ end }) => end.kind),
    ['trap', 'signal', 'signal', 'trap'],
  );
});

/** Functions of C that make a process, need a file or ask for a signal at a time, as calls in LLVM assembly. */
const NOT_POSSIBLE = {
  fork: 'i32 @fork()',
  vfork: 'i32 @vfork()',
  alarm: 'i32 @alarm(i32 1)',
  setitimer: 'i32 @setitimer(i32 0, i8* @zeros, i8* null)',
  timer_create: 'i32 @timer_create(i32 1, i8* null, i8* @zeros)',
  dup: 'i32 @dup(i32 1)',
  pipe: 'i32 @pipe(i8* @zeros)',
  // 127 is what a shell that could not be run ends with.
  system: 'i32 @system(i8* @zeros)',
  popen: 'i8* @popen(i8* @zeros, i8* @zeros)',
  fopen: 'i8* @fopen(i8* @zeros, i8* @zeros)',
} as const;

test('what a program cannot do fails in its hands, and it goes on', async (t) => {
  const calls = Object.entries(NOT_POSSIBLE).map(([name, call]) => {
    const type = call.startsWith('i8*') ? 'i8*' : 'i32';
    const convert = type === 'i8*' ? 'ptrtoint i8*' : 'sext i32';
    return `
  %${name} = call ${call.replaceAll('@zeros', 'getelementptr ([64 x i8], [64 x i8]* @zeros, i64 0, i64 0)')}
  %${name}Wide = ${convert} %${name} to i64
  call i32 (i8*, ...) @printf(${address('format', '%ld\n')}, i64 %${name}Wide)`;
  });
  const declarations = Object.values(NOT_POSSIBLE).map(
    (call) => `declare ${call.replaceAll(/ (@zeros|null|\d+)/g, '')}`,
  );
  const { jit, printed } = await openProgram(
    t,
    `
@zeros = global [64 x i8] zeroinitializer
${constant('format', '%ld\n')}
declare i32 @printf(i8*, ...)
${declarations.join('\n')}
define i32 @main() {${calls.join('')}
  ret i32 0
}`,
  );
  t.like(await jit.runProgram(), { exitCode: 0 });
  const results = Object.keys(NOT_POSSIBLE).map((name, index) => [name, printed().split('\n')[index]]);
  t.deepEqual(Object.fromEntries(results), {
    ...Object.fromEntries(results.map(([name]) => [name, '-1'])),
    system: `${127 << 8}`,
    popen: '0',
    fopen: '0',
  });
});

test('lines go out one by one, as on a terminal, where that is asked for', async (t) => {
  const { jit, printed } = await openProgram(
    t,
    `
declare i32 @puts(i8*)
declare i64 @write(i32, i8*, i64)
${constant('line', 'line')}
define i32 @main() {
  call i32 @puts(${address('line', 'line')})
  call i64 @write(i32 1, ${address('line', 'line')}, i64 1)
  ret i32 0
}`,
  );
  await jit.runProgram();
  t.is(printed(), 'lline\n', 'the line waits');
  await jit.runProgram({ lineBuffered: true });
  t.is(printed(), 'lline\nline\nl');
});

const ENVIRONMENT = `
@environ = external global i8**
@program_invocation_name = external global i8*
@program_invocation_short_name = external global i8*
declare i32 @puts(i8*)
declare i8* @getenv(i8*)
declare i32 @setenv(i8*, i8*, i32)
declare void @warnx(i8*, ...)
${constant('name', 'NEW')}
${constant('value', 'later')}
${constant('words', 'words')}
define void @print(i8** %list) {
entry:
  br label %next
next:
  %at = phi i8** [ %list, %entry ], [ %following, %more ]
  %string = load i8*, i8** %at
  %isEnd = icmp eq i8* %string, null
  br i1 %isEnd, label %end, label %more
more:
  call i32 @puts(i8* %string)
  %following = getelementptr i8*, i8** %at, i64 1
  br label %next
end:
  ret void
}
define void @printInherited() {
  %e = load i8**, i8*** @environ
  call void @print(i8** %e)
  ret void
}
define i32 @main(i32 %argc, i8** %argv) {
  call void @print(i8** %argv)
  %e = load i8**, i8*** @environ
  call void @print(i8** %e)
  %n = load i8*, i8** @program_invocation_name
  call i32 @puts(i8* %n)
  %s = load i8*, i8** @program_invocation_short_name
  call i32 @puts(i8* %s)
  call i32 @setenv(${address('name', 'NEW')}, ${address('value', 'later')}, i32 1)
  %v = call i8* @getenv(${address('name', 'NEW')})
  call i32 @puts(i8* %v)
  call void (i8*, ...) @warnx(${address('words', 'words')})
  ret i32 0
}`;

test.serial(
  'a program finds its arguments, its environment and its name, and nothing of the host',
  async (t) => {
    process.env.FARJIT_SECRET = 'of the compiler';
    // Node hands this one down to whatever it spawns.
    process.env.NODE_V8_COVERAGE = '/secret';
    t.teardown(() => {
      delete process.env.FARJIT_SECRET;
      delete process.env.NODE_V8_COVERAGE;
    });
    let errors = '';
    let printed = '';
    const { jit } = await openProgram(t, ENVIRONMENT, {
      onOutput: (stream, content) => {
        if (stream === 'stdout') printed += Buffer.from(content).toString();
        else errors += Buffer.from(content).toString();
      },
    });
    await (await jit.lookup('printInherited'))();
    t.is(printed, '', 'a runner inherits nothing');
    const argv = ['bin/cat', '', 'a b', 'ü'];
    t.like(await jit.runProgram({ argv, env: { B: '', A: 'x' } }), { exitCode: 0 });
    t.is(printed, 'bin/cat\n\na b\nü\nB=\nA=x\nbin/cat\ncat\nlater\n');
    t.is(errors, 'cat: words\n');
    printed = '';
    t.like(await jit.runProgram(), { exitCode: 0 });
    t.is(printed, 'main\nmain\nmain\nlater\n', 'nothing was asked for, and nothing is there');
  },
);

test('arguments and environment are of any size', async (t) => {
  const { jit } = await openProgram(
    t,
    `
declare i64 @strlen(i8*)
define i32 @main(i32 %argc, i8** %argv, i8** %envp) {
  %last = sext i32 %argc to i64
  %before = sub i64 %last, 1
  %slot = getelementptr i8*, i8** %argv, i64 %before
  %argument = load i8*, i8** %slot
  %a = call i64 @strlen(i8* %argument)
  %variable = load i8*, i8** %envp
  %e = call i64 @strlen(i8* %variable)
  %sum = add i64 %a, %e
  %isRight = icmp eq i64 %sum, 25000002
  %r = select i1 %isRight, i32 %argc, i32 255
  ret i32 %r
}`,
  );
  const many = Array.from({ length: 99 }, (_, index) => `${index}`);
  const argv = [...many, 'x'.repeat(20_000_000)];
  t.like(await jit.runProgram({ argv, env: { E: 'y'.repeat(5_000_000) } }), { exitCode: 100 });
  await t.throwsAsync(jit.runProgram({ argv: ['z'.repeat(200 << 20)] }), { code: 'OUT_OF_EXECUTOR_MEMORY' });
  t.like(await jit.runProgram({ argv, env: { E: 'y'.repeat(5_000_000) } }), { exitCode: 100 });
});

test('what C cannot hold, and what is no main, is refused before anything runs', async (t) => {
  const { jit, lost } = await openProgram(
    t,
    `
@data = global i32 0
define double @real(double %x) { ret double %x }
define i32 @more(i32 %a, i8** %b, i8** %c, i32 %d) { ret i32 0 }
define i32 @main() { ret i32 0 }`,
  );
  await jit.addSource('def kaleidoscope() 1;');
  for (const [options, message] of [
    [{ argv: ['a\0b'] }, 'argv[0] contains a NUL, with which a string ends in C'],
    [{ env: { A: 'a\0' } }, 'env.A contains a NUL, with which a string ends in C'],
    [{ env: { '': 'a' } }, `env has "", which is no variable's name`],
    [{ env: { 'A=B': 'a' } }, `env has "A=B", which is no variable's name`],
    [{ entry: 'data' }, 'data is data, not a function to run'],
    [{ entry: 'real' }, 'real is double(double), and a program begins with i32(i32, ptr, ptr) or less of it'],
    [
      { entry: 'more' },
      'more is i32(i32, ptr, ptr, i32), and a program begins with i32(i32, ptr, ptr) or less of it',
    ],
    [
      { entry: 'kaleidoscope' },
      'kaleidoscope is double(), and a program begins with i32(i32, ptr, ptr) or less of it',
    ],
  ] as const)
    await t.throwsAsync(jit.runProgram(options), { code: 'BAD_ARGUMENT', message });
  await t.throwsAsync(jit.runProgram({ entry: 'missing' }), { code: 'SYMBOLS_NOT_FOUND' });
  t.deepEqual(lost, []);
  t.like(await jit.runProgram({ argv: [] }), { exitCode: 0 });
});

const SPINS = `
declare i32 @puts(i8*)
${constant('here', 'here')}
define i32 @main() {
  call i32 @puts(${address('here', 'here')})
  br label %again
again:
  br label %again
}
define i32 @one() { ret i32 1 }`;

test('a deadline and a signal end a program as they end a call', async (t) => {
  const { jit, printed, lost } = await openProgram(t, SPINS);
  await t.throwsAsync(jit.runProgram({ deadlineMs: 50 }), { code: 'DEADLINE_EXCEEDED' });
  const before = printed();
  const controller = new AbortController();
  const interrupted = jit.runProgram({ lineBuffered: true, signal: controller.signal });
  await eventually(() => printed() !== before, 'it has begun');
  controller.abort();
  await t.throwsAsync(interrupted, { code: 'CANCELLED' });
  t.deepEqual(
    lost.map(({ end }) => end.kind),
    ['deadline', 'cancelled'],
  );
  await t.throwsAsync(jit.runProgram({ signal: AbortSignal.abort() }), { code: 'CANCELLED' });
  t.is(await (await jit.lookup('one'))(), 1);
});

test('a session runs one program at a time, and calls beside it', async (t) => {
  const { jit, printed } = await openProgram(t, SPINS);
  const one = await jit.lookup('one');
  const controller = new AbortController();
  const running = jit.runProgram({ lineBuffered: true, signal: controller.signal });
  await t.throwsAsync(jit.runProgram({ entry: 'one' }), { code: 'PROGRAM_RUNNING' });
  await eventually(() => printed() === 'here\n', 'it has begun');
  t.is(await one(), 1);
  controller.abort();
  await t.throwsAsync(running, { code: 'CANCELLED' });
  t.like(await jit.runProgram({ entry: 'one' }), { exitCode: 1 });
});

const LACKS = `
declare i32 @puts(i8*)
declare i32 @nowhere()
declare i32 @atexit(void ()*)
declare i32 @pthread_create(i64*, i8*, i8* (i8*)*, i8*)
declare i32 @pause()
declare i32 @__gcc_personality_v0(...)
${constant('here', 'here')}
${constant('caught', 'caught')}
define i32 @bad() {
  %r = call i32 @nowhere()
  ret i32 %r
}
define void @badAtEnd() {
  %r = call i32 @bad()
  ret void
}
define i8* @badThread(i8* %ignored) {
  %r = call i32 @bad()
  ret i8* null
}
define i32 @calls() personality i8* bitcast (i32 (...)* @__gcc_personality_v0 to i8*) {
  call i32 @puts(${address('here', 'here')})
  %r = invoke i32 @bad() to label %goesOn unwind label %unwinds
goesOn:
  ret i32 %r
unwinds:
  %exception = landingpad { i8*, i32 } cleanup
  call i32 @puts(${address('caught', 'caught')})
  resume { i8*, i32 } %exception
}
define i32 @endsBadly() {
  call i32 @puts(${address('here', 'here')})
  call i32 @atexit(void ()* @badAtEnd)
  ret i32 0
}
define i32 @threads() {
  %thread = alloca i64
  call i32 @puts(${address('here', 'here')})
  call i32 @pthread_create(i64* %thread, i8* null, i8* (i8*)* @badThread, i8* null)
  call i32 @pause()
  ret i32 0
}
define i32 @one() { ret i32 1 }`;

for (const entry of ['calls', 'endsBadly', 'threads'])
  test(`a function that cannot be linked ends the program with the error, and is no exception to it: ${entry}`, async (t) => {
    const { jit, printed, lost } = await openProgram(t, LACKS);
    await t.throwsAsync(jit.runProgram({ entry }), { code: 'MATERIALIZATION_FAILED', message: /nowhere/ });
    t.is(printed(), 'here\n');
    t.is(lost.length, 1);
    t.is(await (await jit.lookup('one'))(), 1);
  });
