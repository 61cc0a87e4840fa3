import { type ParamsOf, run } from '@farjit/protocol';
import type { RemoteError } from '@farjit/protocol/errors';
import test from 'ava';
import { spin, storeConstant } from './machine-code.js';
import {
  callDouble,
  commitOf,
  load,
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

test('the end of a program is the answer, before its runner is told to be lost', async (t) => {
  const compiler = await openSession(t);
  const { connection, live, lost } = compiler;
  const program = await programOf(compiler, returns(9));
  const end = { kind: 'exit', status: 9 } as const;
  t.deepEqual(await connection.request(run.runProgram, program, live), { end });
  t.deepEqual(lost, []);
  await until(() => lost.length > 0);
  t.deepEqual(lost, [{ generation: 1, end }]);
  await t.throwsAsync(connection.request(run.runProgram, program, live), { code: 'STALE_GENERATION' });
  await startRunner(compiler);
  t.is(await callDouble(compiler, await load(compiler, storeConstant(0x4045_0000_0000_0000n))), 42);
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
