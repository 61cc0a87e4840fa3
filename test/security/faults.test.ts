import {
  type CValue,
  DeadlineExceededError,
  ExecutionTrapError,
  KaleidoscopeJIT,
  RunnerLostError,
} from '@farjit/compiler';
import test, { type ExecutionContext } from 'ava';
import { parseAssembly } from '../ir-module.js';
import { eventually, openJIT } from '../jit-fixture.js';
import { startServer } from '../server-fixture.js';

/** Each of them under a caller, so that there is a backtrace to be right or wrong. */
const FAULTS = `
declare i32 @pthread_create(i64*, i8*, i8* (i8*)*, i8*)
declare i32 @usleep(i32)
declare void @llvm.trap()
declare void @exit(i32)
declare void @abort()
declare i32 @kill(i32, i32)
declare i32 @getpid()
declare i8* @malloc(i64)
@constant = constant i64 7
@zero = global i32 0

define i64 @wildWrite(i64 %n) {
  store volatile i64 1, i64* inttoptr (i64 4104 to i64*)
  ret i64 %n
}
define i64 @writeToConstant(i64 %n) {
  store volatile i64 1, i64* @constant
  ret i64 %n
}
define i64 @writeToCode(i64 %n) {
  %p = bitcast i64 (i64)* @wildWrite to i64*
  store volatile i64 1, i64* %p
  ret i64 %n
}
define i64 @wildJump(i64 %n) {
  %f = inttoptr i64 65536 to i64 (i64)*
  %r = call i64 %f(i64 %n)
  %s = add i64 %r, 1
  ret i64 %s
}
define i64 @jumpIntoData(i64 %n) {
  %f = bitcast i32* @zero to i64 (i64)*
  %r = call i64 %f(i64 %n)
  %s = add i64 %r, 1
  ret i64 %s
}
define i64 @illegal(i64 %n) {
  call void @llvm.trap()
  unreachable
}
define i64 @divideByZero(i64 %n) {
  %d = load volatile i32, i32* @zero
  %q = sdiv i32 7, %d
  %r = sext i32 %q to i64
  ret i64 %r
}
define i64 @overflow(i64 %n) {
  %more = add i64 %n, 1
  %r = call i64 @overflow(i64 %more)
  %s = add i64 %r, %n
  ret i64 %s
}
${[
  'wildWrite',
  'writeToConstant',
  'writeToCode',
  'wildJump',
  'jumpIntoData',
  'illegal',
  'divideByZero',
  'overflow',
]
  .map(
    (name) => `
define i64 @${name}Caller(i64 %n) {
  %r = call i64 @${name}(i64 %n)
  %s = add i64 %r, 1
  ret i64 %s
}
define i8* @${name}Thread(i8* %argument) {
  %r = call i64 @${name}Caller(i64 1)
  ret i8* null
}
define i64 @${name}OnThread(i64 %n) {
  %id = alloca i64
  %error = call i32 @pthread_create(i64* %id, i8* null, i8* (i8*)* @${name}Thread, i8* null)
  %slept = call i32 @usleep(i32 60000000)
  ret i64 %n
}`,
  )
  .join('')}
define void @leave() {
  call void @exit(i32 7)
  ret void
}
define void @giveUp() {
  call void @abort()
  ret void
}
define void @killItself() {
  %self = call i32 @getpid()
  %r = call i32 @kill(i32 %self, i32 9)
  ret void
}
`;

interface Expected {
  readonly signal: string;
  readonly faultAddress?: bigint;
  readonly programCounter?: bigint;
  readonly stackOverflow?: boolean;
  /** Innermost JIT'd function, when it is not the one that is called. */
  readonly innermost?: string;
}

const TRAPS: Readonly<Record<string, Expected>> = {
  wildWrite: { signal: 'SIGSEGV', faultAddress: 4104n },
  writeToConstant: { signal: 'SIGSEGV' },
  writeToCode: { signal: 'SIGSEGV' },
  wildJump: { signal: 'SIGSEGV', faultAddress: 65536n, programCounter: 65536n },
  jumpIntoData: { signal: 'SIGSEGV' },
  illegal: { signal: 'SIGILL' },
  divideByZero: { signal: 'SIGFPE' },
  overflow: { signal: 'SIGSEGV', stackOverflow: true },
};

/** A JIT that knows the faults, and has called `before` so that a new runner must link it again. */
async function faultyJIT(t: ExecutionContext): Promise<KaleidoscopeJIT> {
  const { jit } = await openJIT(t, { optLevel: 0 });
  await jit.addModule(parseAssembly(FAULTS));
  await jit.addSource('def before(x) x + 1;');
  t.is(await (await jit.lookup('before'))(1), 2);
  return jit;
}

/** The next call works, in a new runner, and nothing is compiled for it. */
async function stillWorks(t: ExecutionContext, jit: KaleidoscopeJIT, generation: number): Promise<void> {
  const { functionsCompiled, modulesCompiled, wrappersCompiled } = jit.statistics();
  t.is(await (await jit.lookup('before'))(41), 42);
  t.is(jit.runner.generation, generation);
  t.like(jit.statistics(), { functionsCompiled, modulesCompiled, wrappersCompiled });
}

async function failureOf(call: Promise<CValue | undefined>): Promise<unknown> {
  const [result] = await Promise.allSettled([call]);
  return result.status === 'rejected' ? result.reason : undefined;
}

for (const [where, suffix] of [
  ['the first thread', 'Caller'],
  ['a thread that JIT’d code made', 'OnThread'],
] as const)
  test(`traps on ${where} are reported with signal, addresses, symbol and backtrace, and the next call works`, async (t) => {
    const jit = await faultyJIT(t);
    let generation = 1;
    for (const [name, expected] of Object.entries(TRAPS)) {
      const error = await failureOf((await jit.lookup(`${name}${suffix}`))(1n));
      // The trap of another thread ends this call's runner: it is the cause.
      const trap = suffix === 'Caller' ? error : error instanceof RunnerLostError && error.cause;
      if (!(trap instanceof ExecutionTrapError)) return t.fail(`${name}: ${error}`);
      t.is(trap.signal, expected.signal, name);
      t.is(trap.trap.stackOverflow, expected.stackOverflow ?? false, name);
      if (expected.faultAddress !== undefined) t.is<bigint, bigint>(trap.faultAddress, expected.faultAddress);
      const [innermost] = trap.frames;
      if (!innermost) return t.fail(`${name} has no frames`);
      t.is<bigint, bigint>(innermost.address, trap.trap.programCounter);
      if (expected.programCounter !== undefined)
        t.is<bigint, bigint>(trap.trap.programCounter, expected.programCounter);
      t.is(trap.symbol, name);
      const jitted = trap.frames.flatMap(({ symbol }) => symbol ?? []);
      if (expected.stackOverflow)
        t.true(jitted.length > 60 && jitted.every((symbol) => symbol === 'overflow'));
      else t.deepEqual(jitted.slice(0, 2), [name, `${name}Caller`], `${name}: ${jitted.join(' ')}`);
      for (const { symbol, offsetBytes } of trap.frames)
        if (symbol !== undefined) t.true(offsetBytes >= 0 && offsetBytes < 4096);
      await stillWorks(t, jit, ++generation);
    }
  });

test('exit, abort and SIGKILL are reported as what they were', async (t) => {
  const jit = await faultyJIT(t);
  const ends = [
    ['leave', { kind: 'exit', status: 7 }],
    ['giveUp', { kind: 'signal', signal: 'SIGABRT' }],
    ['killItself', { kind: 'signal', signal: 'SIGKILL' }],
  ] as const;
  let generation = 1;
  for (const [name, end] of ends) {
    const error = await failureOf((await jit.lookup(name))());
    if (!(error instanceof RunnerLostError)) return t.fail(String(error));
    t.deepEqual(error.end, end);
    await stillWorks(t, jit, ++generation);
  }
});

test('an endless loop ends at its deadline, and a neighbour is served all the while', async (t) => {
  const { url } = await startServer(t);
  const open = async () => {
    const jit = await KaleidoscopeJIT.create({ executor: { url }, optLevel: 0 });
    t.teardown(() => jit.close());
    return jit;
  };
  const [victim, neighbour] = await Promise.all([open(), open()]);
  await victim.addSource('def spin(x) for i = 0, 1 in x;');
  await neighbour.addSource('def add(x) x + 1;');
  const spin = await victim.lookup('spin');
  const add = await neighbour.lookup('add');
  t.is(await add(0), 1);

  let isOver = false;
  const endless = failureOf(spin.call([1], { deadlineMs: 1500 })).finally(() => {
    isOver = true;
  });
  await eventually(async () => (await victim.executorStatus()).callsInFlight === 1, 'the loop runs');
  let served = 0;
  for (; !isOver; served++) if ((await add(served)) !== served + 1) t.fail('a wrong value');
  t.true((await endless) instanceof DeadlineExceededError);
  t.log(`${served} calls of the neighbour while the other looped`);
  t.true(served > 0);
  t.is(neighbour.runner.generation, 1);
  t.is(await (await victim.lookup('spin')).call([1], { deadlineMs: 100 }).catch(() => 'again'), 'again');
});
