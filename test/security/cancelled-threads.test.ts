import test from 'ava';
import { parseAssembly } from '../ir-module.js';
import { eventually, holdCompilations, openJIT } from '../jit-fixture.js';

const THREADS = 100;
/** More threads than the runner has slots, in rounds. */
const LAZY = ['lazy0', 'lazy1', 'lazy2'];

/** `start(round, type)`: threads that call one of those for the first time, and can be cancelled as `type` says. */
const ASSEMBLY = `
@ids = global [${THREADS} x i64] zeroinitializer
@type = global i32 0
@round = global i64 0

declare i32 @pthread_create(i64*, i8*, i8* (i8*)*, i8*)
declare i32 @pthread_cancel(i64)
declare i32 @pthread_join(i64, i8**)
declare i32 @pthread_setcanceltype(i32, i32*)
${LAZY.map((name) => `declare double @${name}(double)`).join('\n')}

define i8* @thread(i8* %argument) {
  %type = load i32, i32* @type
  %set = call i32 @pthread_setcanceltype(i32 %type, i32* null)
  %round = load i64, i64* @round
  switch i64 %round, label %out [${LAZY.map((name, round) => `i64 ${round}, label %${name}`).join(' ')}]
${LAZY.map(
  (name) => `
${name}:
  %${name}.answer = call double @${name}(double 1.0)
  br label %out`,
).join('')}
out:
  ret i8* null
}

define i64 @start(i64 %round, i64 %type) {
entry:
  store i64 %round, i64* @round
  %t = trunc i64 %type to i32
  store i32 %t, i32* @type
  br label %loop
loop:
  %i = phi i64 [ 0, %entry ], [ %next, %loop ]
  %id = getelementptr [${THREADS} x i64], [${THREADS} x i64]* @ids, i64 0, i64 %i
  %created = call i32 @pthread_create(i64* %id, i8* null, i8* (i8*)* @thread, i8* null)
  %next = add i64 %i, 1
  %more = icmp ult i64 %next, ${THREADS}
  br i1 %more, label %loop, label %done
done:
  ret i64 0
}

define i64 @cancel() {
entry:
  br label %loop
loop:
  %i = phi i64 [ 0, %entry ], [ %next, %loop ]
  %at = getelementptr [${THREADS} x i64], [${THREADS} x i64]* @ids, i64 0, i64 %i
  %id = load i64, i64* %at
  %cancelled = call i32 @pthread_cancel(i64 %id)
  %next = add i64 %i, 1
  %more = icmp ult i64 %next, ${THREADS}
  br i1 %more, label %loop, label %done
done:
  ret i64 0
}

; How many ended by their cancellation.
define i64 @join() {
entry:
  %answer = alloca i8*
  br label %loop
loop:
  %i = phi i64 [ 0, %entry ], [ %next, %loop ]
  %count = phi i64 [ 0, %entry ], [ %sum, %loop ]
  %at = getelementptr [${THREADS} x i64], [${THREADS} x i64]* @ids, i64 0, i64 %i
  %id = load i64, i64* %at
  %joined = call i32 @pthread_join(i64 %id, i8** %answer)
  %pointer = load i8*, i8** %answer
  %isCancelled = icmp eq i8* %pointer, inttoptr (i64 -1 to i8*)
  %one = zext i1 %isCancelled to i64
  %sum = add i64 %count, %one
  %next = add i64 %i, 1
  %more = icmp ult i64 %next, ${THREADS}
  br i1 %more, label %loop, label %done
done:
  ret i64 %sum
}
`;

for (const [how, type, cancelled] of [
  ['', 0n, 0n],
  ['asynchronously ', 1n, BigInt(THREADS)],
] as const)
  test(`threads that wait together for one function and are ${how}cancelled leave nothing behind that others need`, async (t) => {
    const holds = LAZY.map((lazy) => holdCompilations((name) => name === lazy));
    const transforms = holds.flatMap((hold) => hold.transforms);
    const { jit } = await openJIT(t, { transforms, speculate: 'off', optLevel: 0 });
    await jit.addSource(LAZY.map((name) => `def ${name}(x) x + 1;`).join('\n'));
    await jit.addModule(parseAssembly(ASSEMBLY));
    const [start, cancel, join] = await Promise.all([
      jit.lookup('start'),
      jit.lookup('cancel'),
      jit.lookup('join'),
    ]);
    const blocked = async () => (await jit.executorStatus()).blocked.length;
    for (const [round, { open }] of holds.entries()) {
      await start(BigInt(round), type);
      await eventually(async () => (await blocked()) === THREADS, 'all threads wait');
      await cancel();
      t.is(await blocked(), THREADS);
      open();
      t.is(await join(), cancelled);
      t.is(await blocked(), 0);
    }
    // The threads that come after them.
    await jit.addSource('def other(x) x + 1;');
    t.is(await (await jit.lookup('other'))(1), 2);
  });
