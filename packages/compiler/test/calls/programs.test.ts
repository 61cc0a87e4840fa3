import { setImmediate } from 'node:timers/promises';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { type Commit, type ParamsOf, run } from '@farjit/protocol';
import { RequestError } from '@farjit/protocol/errors';
import test, { type ExecutionContext } from 'ava';
import { RunnerLostError } from '../../src/core/errors.js';
import { addressesFor, openScripted } from '../session/session-fixture.js';

type Params = ParamsOf<typeof run.runProgram>;

/** A session on a host that has a `main`, and answers programs one after the other. */
async function openPrograms(t: ExecutionContext, ...answers: ((params: Params) => { end: typeof EXIT })[]) {
  const { host, session } = await openScripted(t, { lookupSymbols: addressesFor({ main: 0x1000n }) });
  const programs: Params[] = [];
  host.connection.handle(run.runProgram, async (params) => {
    programs.push(params);
    return (answers[programs.length - 1] ?? (() => ({ end: EXIT })))(params);
  });
  const input: Uint8Array[] = [];
  host.connection.onNotification(run.programInput, ({ content }) => input.push(content));
  return { host, session, programs, input, main: session.mainDylib.ref('main') };
}

const EXIT = { kind: 'exit', status: 4 } as const;

const refusing = (code: 'DRAINING' | 'STALE_GENERATION' | 'CALLBACK_FAILED') => () => {
  throw new RequestError(
    code,
    'not now',
    code === 'CALLBACK_FAILED' ? { token: 1, programThreads: 0 } : null,
  );
};

/** Strings that a commit puts where `char *[]` leads. */
function stringsAt(commit: Commit, array: bigint): string[] {
  const [segment] = commit.segments.filter(({ prot }) => prot === 'data');
  const content = Buffer.from(segment?.content ?? []);
  const strings: string[] = [];
  for (let at = Number(array - (segment?.address ?? 0n)); content.readBigUInt64LE(at) !== 0n; at += 8) {
    const start = Number(content.readBigUInt64LE(at) - (segment?.address ?? 0n));
    strings.push(content.subarray(start, content.indexOf(0, start)).toString());
  }
  return strings;
}

test('arguments and environment lie in data memory, each array with a null behind it', async (t) => {
  const { session, programs, main } = await openPrograms(t);
  const options = { argv: ['a', '', 'ü'], env: { B: '2', A: '' }, lineBuffered: true };
  t.like(await session.programs.run(main, options), { exitCode: 4 });
  const [program] = programs;
  if (!program) return t.fail();
  t.like(program, { argumentCount: 3, hasInput: false, lineBuffered: true });
  t.is<bigint, bigint>(program.main, 0x1000n);
  t.deepEqual(stringsAt(program.commit, program.arguments), ['a', '', 'ü']);
  t.deepEqual(stringsAt(program.commit, program.environment), ['B=2', 'A=']);
});

test('arguments may be bytes of any kind, and texts are not changed', async (t) => {
  const { session, programs, main } = await openPrograms(t);
  await session.programs.run(main, { argv: ['a', Buffer.from([0xff, 0xe9])] });
  const [program] = programs;
  const [segment] = program?.commit.segments ?? [];
  t.true(Buffer.from(segment?.content ?? []).includes(Buffer.from([0xff, 0xe9, 0])));
  for (const [argv, env, message] of [
    [['a\0b'], {}, 'argv[0] contains a NUL, with which a string ends in C'],
    [[Buffer.from([1, 0])], {}, 'argv[0] contains a NUL, with which a string ends in C'],
    [['', '\ud800'], {}, 'argv[1] contains a lone surrogate, which UTF-8 has not'],
    [[], { A: '\udc00x' }, 'env.A contains a lone surrogate, which UTF-8 has not'],
    [[], { A: '\0' }, 'env.A contains a NUL, with which a string ends in C'],
  ] as const)
    await t.throwsAsync(session.programs.run(main, { argv, env }), { message });
  await session.programs.run(main, { argv: ['😀'] });
});

test('after its end nothing begins in its runner, though nobody has told yet that it is lost', async (t) => {
  const { host, session, main } = await openPrograms(t);
  await session.programs.run(main, {});
  t.is(host.runner.generation, 1);
  await session.programs.run(main, {});
  t.is(host.runner.generation, 2);
});

test('after a program that could not go on, too', async (t) => {
  const { host, session, main } = await openPrograms(t, refusing('CALLBACK_FAILED'));
  await t.throwsAsync(session.programs.run(main, {}), { code: 'MATERIALIZATION_FAILED' });
  await session.programs.run(main, {});
  t.is(host.runner.generation, 2);
});

test('a program that is refused leaves nothing in memory, and another can be run', async (t) => {
  const { host, session, main } = await openPrograms(t, refusing('DRAINING'));
  const before = session.allocatedBytes;
  await t.throwsAsync(session.programs.run(main, { argv: ['x'.repeat(100_000)] }), { code: 'DRAINING' });
  t.is(session.allocatedBytes, before);
  t.like(await session.programs.run(main, {}), { exitCode: 4 });
  t.is(host.runner.generation, 1);
});

test('when a program has ended, nobody holds on to what it has read', async (t) => {
  const { session, main } = await openPrograms(t);
  setFlagsFromString('--expose-gc');
  const gc: () => void = runInNewContext('gc');
  const runWithInput = async () => {
    const stdin = new Uint8Array(1000);
    await session.programs.run(main, { stdin });
    return new WeakRef(stdin);
  };
  const read = await runWithInput();
  for (let i = 0; i < 100 && read.deref(); i++) {
    await setImmediate();
    gc();
  }
  t.is(read.deref(), undefined);
});

test('a program whose runner was gone begins in another, unless its input has been read', async (t) => {
  const { host, session, programs, input, main } = await openPrograms(
    t,
    refusing('STALE_GENERATION'),
    () => ({ end: EXIT }),
    refusing('STALE_GENERATION'),
    () => ({ end: EXIT }),
    refusing('STALE_GENERATION'),
  );
  const lost = () => host.loseRunner({ kind: 'fault', message: 'gone' });
  const running = session.programs.run(main, {});
  lost();
  t.like(await running, { exitCode: 4 });
  t.is(programs.length, 2);
  // What goes along as a whole is there to go along again.
  const again = session.programs.run(main, { stdin: 'x' });
  lost();
  t.like(await again, { exitCode: 4 });
  t.deepEqual(
    programs.slice(2).map((program) => program.input && Buffer.from(program.input).toString()),
    ['x', 'x'],
  );
  const stdin = (async function* () {
    yield 'y';
  })();
  await t.throwsAsync(session.programs.run(main, { stdin }), { instanceOf: RunnerLostError });
  t.is(programs.length, 5);
  t.is(input[0] && Buffer.from(input[0]).toString(), 'y');
});

test('a host that has taken what it was not sent ends the session', async (t) => {
  const { host, session } = await openPrograms(t);
  const { generation } = host.runner;
  host.connection.notify(run.inputTaken, { costBytes: 1, isOpen: true }, generation + 1);
  host.connection.notify(run.inputTaken, { costBytes: 1, isOpen: true }, generation);
  t.regex(
    (await session.executor.closed).message,
    /1002: the executor has taken input for runner 1, which was sent none/,
  );
});

test('where an executor does not say what a program has used, its report has nothing in the place of that', async (t) => {
  const { session, main } = await openPrograms(t);
  const { report } = await session.programs.run(main, {});
  t.deepEqual(Object.keys(report), [
    'wallMs',
    'stdoutBytes',
    'stderrBytes',
    'callbacks',
    'functionsCompiled',
    'functionsLinked',
    'exitCode',
  ]);
});
