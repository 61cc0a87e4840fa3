import { ConnectError, KaleidoscopeJIT, QuotaExceededError, RunnerLostError } from '@farjit/compiler';
import { type Credentials, hashToken, type Quotas, Server } from '@farjit/executor';
import type { RunnerEnd } from '@farjit/protocol';
import test, { type ExecutionContext } from 'ava';
import { farjit, folderWith } from '#compiler/test/cli/run-farjit.js';
import { parseAssembly } from './ir-module.js';
import { evaluateAll, eventually, openJIT } from './jit-fixture.js';

const MIB = 1024 ** 2;
const ENDLESS = 'def spin(x) for i = 0, 1 in x; def twice(x) x * 2;';

const ASSEMBLY = `
declare i8* @malloc(i64)
declare i8* @memset(i8*, i32, i64)
; Uses that much, and keeps it.
define i64 @keep(i64 %bytes) {
  %block = call i8* @malloc(i64 %bytes)
  %used = call i8* @memset(i8* %block, i32 1, i64 %bytes)
  %address = ptrtoint i8* %used to i64
  ret i64 %address
}
define void @spin() {
entry:
  br label %loop
loop:
  br label %loop
}`;

function credentials(quotas: Quotas): Credentials {
  const entry = (name: string, quotas: Quotas) => ({ name, sha256: hashToken(name), quotas });
  return { tokens: [entry('limited', quotas), entry('other', {})], certificates: [] };
}

/** A server whose token `limited` has these quotas, and `other` none. */
async function startServer(t: ExecutionContext, quotas: Quotas) {
  const server = new Server({ credentials: credentials(quotas) });
  t.teardown(() => server.close());
  const url = await server.listen('ws://127.0.0.1:0');
  const open = async (token = 'limited') => (await openJIT(t, { executor: { url, token } })).jit;
  return { server, url, open };
}

async function spinning(t: ExecutionContext, jit: KaleidoscopeJIT): Promise<() => Promise<void>> {
  await jit.addSource(ENDLESS);
  const spin = await jit.lookup('spin');
  const stop = new AbortController();
  const call = spin.call([1], { signal: stop.signal });
  await eventually(async () => (await jit.executorStatus()).callsInFlight === 1, 'it runs');
  return async () => {
    stop.abort();
    await t.throwsAsync(call, { code: 'CANCELLED' });
  };
}

test('sessions: one more is refused before it is opened, and the quota is named', async (t) => {
  const { server, url, open } = await startServer(t, { sessions: 1 });
  const first = await open();
  const error = (await t.throwsAsync(KaleidoscopeJIT.create({ executor: { url, token: 'limited' } }), {
    instanceOf: ConnectError,
  })) as ConnectError;
  t.is(error.statusCode, 429);
  t.is(error.quota, 'sessions=1');
  t.is(
    error.message,
    `${url}: the executor answered 429 (the quota sessions=1 of token limited is used up); wait a little, or ` +
      'close sessions that are not needed',
  );
  t.deepEqual(await evaluateAll(await open('other'), '1;'), [1]);
  await first.close();
  await eventually(() => server.sessions.size === 1, 'the session has ended');
  t.deepEqual(await evaluateAll(await open(), '2;'), [2]);
});

test('calls: one more is refused with a typed error, loses nothing, and works later', async (t) => {
  const { open } = await startServer(t, { calls: 1 });
  const [first, second] = [await open(), await open()];
  const stop = await spinning(t, first);
  await second.addSource(ENDLESS);
  const twice = await second.lookup('twice');
  for (let i = 0; i < 2; i++) {
    const error = (await t.throwsAsync(twice(21), { instanceOf: QuotaExceededError })) as QuotaExceededError;
    t.is(error.code, 'QUOTA_EXCEEDED');
    t.deepEqual(error.quota, { name: 'calls', value: 1, identity: 'token limited' });
    t.is(error.message, 'the call was refused: the quota calls=1 of token limited is used up');
  }
  await stop();
  t.is(await twice(21), 42);
  // What came with the refused calls was applied: the runner is the first, and nothing was compiled twice.
  t.is(second.runner.generation, 1);
  t.is(second.statistics().functionsCompiled, 1);
});

test('memory: what sessions have together ends the largest, and the quota is named', async (t) => {
  const { open } = await startServer(t, { memory: 160 * MIB });
  const quota = { name: 'memory', value: 160 * MIB, identity: 'token limited' };
  const open3 = await Promise.all([open(), open(), open('other')]);
  for (const jit of open3) await jit.addModule(parseAssembly(ASSEMBLY));
  const ends: RunnerEnd[][] = open3.map((jit) => {
    const lost: RunnerEnd[] = [];
    jit.subscribe((event) => {
      if (event.type === 'runner-lost') lost.push(event.end);
    });
    return lost;
  });
  const [large, small, other] = open3;
  const keep = async (jit: KaleidoscopeJIT, sizeBytes: number) =>
    (await jit.lookup('keep'))(BigInt(sizeBytes));
  await keep(other, 256 * MIB);
  await keep(large, 100 * MIB);
  await keep(small, 20 * MIB);
  await new Promise((resolve) => setTimeout(resolve, 1200));
  t.deepEqual(ends, [[], [], []]);
  await keep(small, 60 * MIB);
  await eventually(() => (ends[0]?.length ?? 0) > 0, 'the largest runner ends');
  t.deepEqual(ends, [[{ kind: 'quota', quota }], [], []] as unknown as RunnerEnd[][]);
  // A call that it hits says so.
  const error = await t.throwsAsync(
    (async () => {
      await keep(small, 100 * MIB);
      await (await small.lookup('spin'))();
    })(),
    { instanceOf: RunnerLostError },
  );
  t.deepEqual(error?.end, { kind: 'quota', quota } as unknown as RunnerEnd);
  t.is(error?.message, 'the runner ended: the quota memory=160M of token limited is used up');
  t.not(await keep(large, MIB), 0n);
});

test('cpu: a loop is ended when the hour is used up, and then no call begins and no session opens', async (t) => {
  const { server, url, open } = await startServer(t, { cpu: 1 });
  const [jit, idle] = [await open(), await open()];
  await jit.addSource(ENDLESS);
  await idle.addSource(ENDLESS);
  const quota = { name: 'cpu', value: 1, identity: 'token limited' };
  const error = await t.throwsAsync((await jit.lookup('spin'))(1), { instanceOf: RunnerLostError });
  t.deepEqual(error?.end, { kind: 'quota', quota } as unknown as RunnerEnd);
  for (const each of [jit, idle]) {
    const refused = await t.throwsAsync((await each.lookup('twice'))(1), { instanceOf: QuotaExceededError });
    t.deepEqual(refused?.quota, quota as QuotaExceededError['quota']);
  }
  const full = await t.throwsAsync(KaleidoscopeJIT.create({ executor: { url, token: 'limited' } }), {
    instanceOf: ConnectError,
  });
  t.is(full?.quota, 'cpu=1');
  // More is granted while they are open.
  await server.reload({ credentials: credentials({ cpu: 3600 }) });
  t.is(await (await jit.lookup('twice'))(21), 42);
  t.is(await (await idle.lookup('twice'))(21), 42);
  t.is(idle.runner.generation, 1);
});

test('farjit run says in words which quota is used up', async (t) => {
  const { url, open } = await startServer(t, { calls: 1 });
  const stop = await spinning(t, await open());
  const cwd = await folderWith(t, { 'program.ks': 'def f(x) x;\nf(1);\n' });
  const { end, stdout, stderr } = await farjit(t, ['run', '--no-cache', '--executor', url, 'program.ks'], {
    cwd,
    env: { FARJIT_TOKEN: 'limited' },
  });
  t.is(end, 1);
  t.is(stdout, '');
  t.regex(
    stderr,
    /^program\.ks:2:1: error: the call was refused: the quota calls=1 of token limited is used up\n/,
  );
  await stop();
});

const WRITER = `
  #include <stdio.h>
  #include <string.h>
  int main(int count, char **arguments) {
    static char bytes[1 << 20];
    memset(bytes, 1, sizeof bytes);
    FILE *file = fopen("/tmp/written", "w");
    for (int i = 0; count > 1 && i < 200; i++) fwrite(bytes, 1, sizeof bytes, file);
    puts("written");
    fflush(NULL);
    while (count > 1 && getchar() != EOF);
    return 0;
  }`;

test('memory: files count, those that a program writes and those that it is given', async (t) => {
  const { open } = await startServer(t, { memory: 96 * MIB });
  const quota = { name: 'memory', value: 96 * MIB, identity: 'token limited' } as const;
  const jit = await open();
  await jit.addC(WRITER);
  async function* never() {
    await new Promise(() => {});
    yield '';
  }
  const error = await t.throwsAsync<RunnerLostError>(
    async () => jit.runProgram({ files: {}, argv: ['writer', 'much'], stdin: never() }),
    { instanceOf: RunnerLostError },
  );
  t.deepEqual<RunnerEnd | undefined, RunnerEnd>(error?.end, { kind: 'quota', quota });
  t.is((await jit.runProgram({ files: { '/a': Buffer.alloc(8 * MIB, 1) } })).exitCode, 0);
  // Before a runner has them.
  await t.throwsAsync(async () => jit.runProgram({ files: { '/a': Buffer.alloc(120 * MIB, 2) } }), {
    message: /memory/,
  });
  const after = await open();
  await after.addC(WRITER);
  t.is((await after.runProgram({ files: { '/a': 'small' } })).exitCode, 0);
});
