/* A compiler is told that memory is short before its executor has to end a runner, and holds back what nobody waits for. */
import type { KaleidoscopeJIT } from '@farjit/compiler';
import { type Credentials, hashToken, Server } from '@farjit/executor';
import test, { type ExecutionContext } from 'ava';
import { assemble } from '#compiler/test/llvm/assemble.js';
import { evaluateAll, eventually, openJIT } from './jit-fixture.js';

const MIB = 1024 ** 2;
const COUNT = 60;

/** Takes memory that shows in what the kernel counts, and gives it back to the kernel. */
const HOLDER = assemble(`
declare i8* @mmap(i8*, i64, i32, i32, i32, i64)
declare i32 @munmap(i8*, i64)
declare i8* @memset(i8*, i32, i64)
define i64 @hold(i64 %bytes) {
  %block = call i8* @mmap(i8* null, i64 %bytes, i32 3, i32 34, i32 -1, i64 0)
  %used = call i8* @memset(i8* %block, i32 1, i64 %bytes)
  %address = ptrtoint i8* %used to i64
  ret i64 %address
}
define i32 @release(i64 %address, i64 %bytes) {
  %block = inttoptr i64 %address to i8*
  %result = call i32 @munmap(i8* %block, i64 %bytes)
  ret i32 %result
}`);

function chain(name: string): string {
  const functions = Array.from({ length: COUNT }, (_, i) =>
    i === COUNT - 1 ? `def ${name}${i}x(v) v;` : `def ${name}${i}x(v) ${name}${i + 1}x(v) + 1;`,
  );
  return `${functions.join('\n')}\n${name}0x(1);`;
}

/** Callbacks that a chain takes. */
async function callbacksOf(t: ExecutionContext, jit: KaleidoscopeJIT, name: string): Promise<number> {
  const before = jit.statistics().compileCallbacks;
  t.deepEqual(await evaluateAll(jit, chain(name)), [COUNT]);
  return jit.statistics().compileCallbacks - before;
}

async function holder(jit: KaleidoscopeJIT) {
  await jit.addIR(HOLDER);
  const hold = await jit.lookup('hold', 'i64(i64)');
  const release = await jit.lookup('release', 'i32(i64, i64)');
  return async (bytes: bigint) => {
    const address = await hold(bytes);
    return async () => void (await release(address, bytes));
  };
}

test('near its limit a session guesses nothing, and guesses again when there is more', async (t) => {
  const { jit } = await openJIT(t, { local: { limits: { memory: 200 * MIB } } });
  const told: boolean[] = [];
  jit.subscribe((event) => {
    if (event.type === 'memory-pressure') told.push(event.isHigh);
  });
  const usual = await callbacksOf(t, jit, 'a');
  t.true(usual < COUNT / 4, `${usual}`);
  const hold = await holder(jit);
  const release = await hold(BigInt(170 * MIB));
  await eventually(() => jit.isShortOfMemory, 'memory is short');
  // The expression makes one more, or not, as first code is made: without guesses there is one for each function.
  t.true((await callbacksOf(t, jit, 'b')) >= COUNT);
  await release();
  await eventually(() => !jit.isShortOfMemory, 'there is enough again');
  t.true((await callbacksOf(t, jit, 'c')) < COUNT / 4);
  t.deepEqual(told, [true, false]);
  t.is(jit.runner.generation, 1, 'nothing was ended');
});

test('all sessions of an identity hold back when they are near its quota together, and others do not', async (t) => {
  const entry = (name: string, memory?: number) => ({ name, sha256: hashToken(name), quotas: { memory } });
  const credentials = {
    tokens: [entry('limited', 200 * MIB), entry('other')],
    certificates: [],
  } as Credentials;
  const server = new Server({ credentials });
  t.teardown(() => server.close());
  const url = await server.listen('ws://127.0.0.1:0');
  const open = async (token: string) => (await openJIT(t, { executor: { url, token } })).jit;
  const [holds, idle, other] = [await open('limited'), await open('limited'), await open('other')];
  const release = await (await holder(holds))(BigInt(170 * MIB));
  await eventually(() => holds.isShortOfMemory && idle.isShortOfMemory, 'both were told');
  t.true((await callbacksOf(t, idle, 'a')) >= COUNT);
  t.true((await callbacksOf(t, other, 'a')) < COUNT / 4);
  t.false(other.isShortOfMemory);
  await release();
  await eventually(() => !holds.isShortOfMemory && !idle.isShortOfMemory, 'both were told again');
});

test('pieces of a large module have no guesses in them either', async (t) => {
  const functions = Array.from({ length: COUNT }, (_, i) =>
    i === COUNT - 1
      ? `int p${i}(int v) { return v; }`
      : `int p${i + 1}(int); int p${i}(int v) { return p${i + 1}(v) + 1; }`,
  );
  const { jit } = await openJIT(t, {
    local: { limits: { memory: 200 * MIB } },
    extraction: 'on',
    optLevel: 0,
  });
  const release = await (await holder(jit))(BigInt(170 * MIB));
  await eventually(() => jit.isShortOfMemory, 'memory is short');
  await jit.addC(functions.toReversed().join('\n'));
  const before = jit.statistics().piecesCompiled;
  t.is(await (await jit.lookup('p0', 'i32(i32)'))(1), COUNT);
  t.is(jit.statistics().piecesCompiled - before, COUNT);
  await release();
});
