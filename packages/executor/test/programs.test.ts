import { setImmediate } from 'node:timers/promises';
import { FEATURE_NAMES, type ParamsOf, type ProgramUse, run, session } from '@farjit/protocol';
import type { RemoteError } from '@farjit/protocol/errors';
import test, { type ExecutionContext } from 'ava';
import { spin, storeConstant } from './machine-code.js';
import { OPEN, WANTED } from './open-on.js';
import {
  callDouble,
  commitOf,
  load,
  lookup,
  openSession,
  reserve,
  startRunner,
  type TestCompiler,
  until,
} from './session-fixture.js';

/** `mov $exitCode, %eax; ret` */
const returns = (exitCode: number) => Uint8Array.of(0xb8, exitCode, 0, 0, 0, 0xc3);

/** A program of no arguments: their array and the environment's are one null in fresh memory. */
async function programOf(
  compiler: TestCompiler,
  code: Uint8Array<ArrayBuffer>,
): Promise<ParamsOf<typeof run.runProgram>> {
  const nothing = reserve(compiler, 'data', 8);
  const main = await load(compiler, code);
  return {
    main,
    argumentCount: 0,
    arguments: nothing,
    environment: nothing,
    hasInput: false,
    lineBuffered: true,
    commit: commitOf(),
  };
}

/** A session, and what it is told that programs have used. */
async function openUsed(t: ExecutionContext, opening = OPEN) {
  const compiler = await openSession(t, undefined, opening);
  const used: ProgramUse[] = [];
  compiler.connection.onNotification(run.programUsed, (use) => used.push(use));
  return { compiler, used };
}

const end = { kind: 'exit', status: 9 } as const;

test('the answer is the end of a program, what it has used, and the loss of its runner', async (t) => {
  const { compiler, used } = await openUsed(t);
  const { connection, live, lost } = compiler;
  const program = await programOf(compiler, returns(9));
  const answer = await connection.request(run.runProgram, program, live);
  t.deepEqual(answer.end, end);
  t.true((answer.used?.peakMemoryBytes ?? 0) > 0);
  await connection.request(session.sessionStatus, {});
  await setImmediate();
  t.deepEqual([lost, used], [[], []]);
  await t.throwsAsync(connection.request(run.runProgram, program, live), { code: 'STALE_GENERATION' });
  await startRunner(compiler);
  t.is(await callDouble(compiler, await load(compiler, storeConstant(0x4045_0000_0000_0000n))), 42);
});

test('who waits for something else in its runner is told of the loss by itself', async (t) => {
  const { compiler, used } = await openUsed(t);
  const { connection, live, lost } = compiler;
  const params = { entry: await load(compiler, spin()), block: new Uint8Array(8), commit: commitOf() };
  const beside = t.throwsAsync(connection.request(run.call, params, live), { code: 'RUNNER_LOST' });
  const program = await programOf(compiler, returns(9));
  t.deepEqual((await connection.request(run.runProgram, program, live)).end, end);
  await beside;
  await until(() => lost.length > 0);
  t.deepEqual([lost, used], [[{ generation: 1, end }], []]);
});

test('in a session without short runs use and loss are told by themselves', async (t) => {
  const features = FEATURE_NAMES.filter((name) => name !== 'short-runs');
  const { compiler, used } = await openUsed(t, { ...OPEN, features });
  const { connection, live, lost } = compiler;
  const program = await programOf(compiler, returns(9));
  t.deepEqual(await connection.request(run.runProgram, program, live), { end });
  t.is(used.length, 1);
  await until(() => lost.length > 0);
  t.deepEqual(lost, [{ generation: 1, end }]);
});

test('a program that is ended has used something, too', async (t) => {
  const { compiler, used } = await openUsed(t);
  const { connection, live, lost } = compiler;
  const program = await programOf(compiler, spin());
  const options = { ...live, deadlineMs: 200 };
  await t.throwsAsync(connection.request(run.runProgram, program, options), { code: 'RUNNER_LOST' });
  t.is(used.length, 1);
  await until(() => lost.length > 0);
});

test('the runner of a program has looked its symbols up when it is there', async (t) => {
  const { compiler } = await openUsed(t);
  const names = ['sin', 'nosuchsymbol', 'cos'];
  const started = await compiler.connection.request(session.startRunner, { ...WANTED, names });
  compiler.runner = started;
  compiler.live.generation = started.generation;
  const [sin, cos] = [await lookup(compiler, 'sin'), await lookup(compiler, 'cos')];
  t.deepEqual<readonly bigint[] | undefined, bigint[]>(started.addresses, [sin, 0n, cos]);
});

test('a runner runs one program', async (t) => {
  const compiler = await openSession(t);
  const { connection, live } = compiler;
  const program = await programOf(compiler, spin());
  const running = connection.request(run.runProgram, program, { ...live, deadlineMs: 200 });
  await t.throwsAsync(connection.request(run.runProgram, program, live), { code: 'METHOD_NOT_ALLOWED' });
  const error = await t.throwsAsync<RemoteError>(running, { code: 'RUNNER_LOST' });
  t.deepEqual(error?.data, { end: { kind: 'deadline', deadlineMs: 200 }, own: true });
});

test('a program that cannot be begun ends its runner, for its input may be there already', async (t) => {
  const compiler = await openSession(t);
  const { connection, live, lost } = compiler;
  const program = await programOf(compiler, returns(0));
  const bad = { address: program.main, value: program.main };
  const commit = commitOf({ pointers: [bad] });
  await t.throwsAsync(connection.request(run.runProgram, { ...program, commit }, live), {
    code: 'INVALID_ADDRESS',
  });
  await until(() => lost.length > 0);
  t.is(lost[0]?.end.kind, 'fault');
});

test('input for a runner that is gone is passed over, too much for one that lives ends the connection', async (t) => {
  const compiler = await openSession(t);
  const { connection, live } = compiler;
  const send = (generation: number) =>
    connection.notify(
      run.programInput,
      { content: new Uint8Array(run.MAX_INPUT_BYTES), isLast: false },
      generation,
    );
  const most = run.MAX_HELD_INPUT_BYTES / run.MAX_INPUT_BYTES;
  // A pipe full is taken; what comes after that is held.
  const tooMany = most + 2;
  for (let count = 0; count < tooMany; count++) send(live.generation + 1);
  const program = { ...(await programOf(compiler, spin())), hasInput: true };
  const running = connection.request(run.runProgram, program, live);
  let takenBytes = 0;
  connection.onNotification(run.inputTaken, ({ costBytes, isOpen }) => {
    t.true(isOpen);
    takenBytes += costBytes;
  });
  for (let count = 0; count < most; count++) send(live.generation);
  await until(() => takenBytes === run.MAX_INPUT_BYTES);
  t.false(connection.isClosed);
  for (let count = most; count < tooMany; count++) send(live.generation);
  await t.throwsAsync(running, {
    code: 'CONNECTION_CLOSED',
    message: /1002: input that counts as more than 262144/,
  });
});
