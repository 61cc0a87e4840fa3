import { execFileSync, spawnSync } from 'node:child_process';
import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { CodegenPool, KaleidoscopeJIT } from '@farjit/compiler';
import { Server } from '@farjit/executor';
import { memory, symbols } from '@farjit/protocol';
import { addrAdd, type ExecutorAddr } from '@farjit/protocol/executor-addr';
import test, { type ExecutionContext } from 'ava';
import { assemble, bitcode } from '#compiler/test/llvm/assemble.js';
import { installedLibLLVMs } from '#compiler/test/llvm/installed.js';
import { Log } from '#executor/src/logging/log.js';
import { logEvents } from '#executor/src/logging/log-events.js';
import { CONTROL, END, END_MESSAGE_BYTES, EndKind } from '#executor/src/native/shared-layout.js';
import { layoutReservation } from '#executor/src/reservation-layout.js';
import { hashToken } from '#executor/src/tokens.js';
import { illegalInstruction } from '#executor/test/machine-code.js';
import { startRunner, until } from '#executor/test/session-fixture.js';
import { cannotRunAsUser, NOBODY, runScript } from './as-user.js';
import { Canaries } from './canaries.js';
import { SpyingSession } from './spying-session.js';

const KIB = 1024;
/** Small, so that all of it can be looked at. */
const RESERVATION = { codeBytes: 256 * KIB, constantBytes: 256 * KIB, dataBytes: 1024 * KIB };
const TOKENS = { a: 'token of a', b: 'token of b' };
async function startHost(t: ExecutionContext) {
  const lines: string[] = [];
  const tokens = Object.entries(TOKENS).map(([name, token]) => ({
    name,
    sha256: hashToken(token),
    quotas: {},
  }));
  const server = new Server({
    credentials: { tokens, certificates: [] },
    metrics: true,
    poolSize: 1,
    reservation: RESERVATION,
    limits: { stack: 256 * KIB },
  });
  logEvents(
    new Log({ level: 'trace', format: 'json', sink: { write: (line) => void lines.push(line) } }),
    server.events,
  );
  t.teardown(() => server.close());
  const url = await server.listen('ws://127.0.0.1:0');
  const metrics = async () => {
    const headers = { authorization: `Bearer ${TOKENS.b}` };
    return (await fetch(url.replace('ws:', 'http:').concat('/metrics'), { headers })).text();
  };
  return { server, url, log: () => lines.join('\n'), metrics };
}

/** `void entry(uint64_t block[2])`: leaves the block on its stack, far below, and in memory from malloc. */
function leaveBehind(malloc: ExecutorAddr): Uint8Array<ArrayBuffer> {
  const address = Buffer.alloc(8);
  address.writeBigUInt64LE(malloc);
  return Uint8Array.from([
    0x53, // push %rbx
    ...[0x48, 0x89, 0xfb], // mov %rdi, %rbx
    ...[0xbf, 64, 0, 0, 0], // mov $64, %edi
    ...[0x48, 0xb8, ...address], // mov $malloc, %rax
    ...[0xff, 0xd0], // call *%rax
    ...[0x48, 0x8b, 0x0b], // mov (%rbx), %rcx
    ...[0x48, 0x8b, 0x53, 0x08], // mov 8(%rbx), %rdx
    ...[0x48, 0x89, 0x48, 0x10], // mov %rcx, 16(%rax)
    ...[0x48, 0x89, 0x50, 0x18], // mov %rdx, 24(%rax)
    ...[0x48, 0x89, 0x8c, 0x24, 0x00, 0xc0, 0xff, 0xff], // mov %rcx, -16384(%rsp)
    ...[0x48, 0x89, 0x94, 0x24, 0x08, 0xc0, 0xff, 0xff], // mov %rdx, -16376(%rsp)
    0x5b, // pop %rbx
    0xc3, // ret
  ]);
}

/** `void entry(uint64_t block[34])`: its last words. */
function endWithWords(control: bigint): Uint8Array<ArrayBuffer> {
  const end = Buffer.alloc(8);
  end.writeBigUInt64LE(control + BigInt(CONTROL.end));
  return Uint8Array.from([
    ...[0x48, 0xb8, ...end], // mov $end, %rax
    ...[0xc7, 0x00, EndKind.fault, 0, 0, 0], // movl $FAULT, (%rax)
    ...[0x48, 0x8d, 0xb8, ...littleEndian(END.message)], // lea message(%rax), %rdi
    // The block's address, which came in %rdi, is in %rsi by then.
    ...[0xb9, ...littleEndian(END_MESSAGE_BYTES)], // mov $bytes, %ecx
    ...[0xf3, 0xa4], // rep movsb
    ...[0xbf, 1, 0, 0, 0], // mov $1, %edi
    ...[0xb8, 231, 0, 0, 0], // mov $SYS_exit_group, %eax
    ...[0x0f, 0x05], // syscall
  ]);
}

function littleEndian(value: number): number[] {
  const bytes = Buffer.alloc(4);
  bytes.writeInt32LE(value);
  return [...bytes];
}

/** Plants canaries wherever a session can. */
async function plant(spy: SpyingSession, canaries: Canaries, who: string): Promise<void> {
  const { compiler } = spy;
  const { connection, live } = compiler;
  const planted = (where: string) => new Uint8Array(canaries.plant(`${who}: ${where}`));
  for (const prot of ['data', 'constant', 'code'] as const)
    await spy.place(prot, Uint8Array.from([...(prot === 'code' ? [0xc3] : []), ...planted(prot)]));
  // At the far end of what it has, too.
  const { data } = spy.parts;
  const name = canaries.plantText(`${who}: a name`);
  const { addresses } = await connection.request(symbols.lookupSymbols, { names: ['malloc', name] }, live);
  const [malloc] = addresses;
  if (!malloc) throw new Error('the runner has no malloc');
  const leave = await spy.place('code', leaveBehind(malloc));
  await spy.call(leave, planted('a call block, stack and heap'));
  const shown = await spy.place('data', planted('output'));
  const print = await spy.place('code', printing(shown));
  await spy.call(print, new Uint8Array(8));
  const wrong = { address: addrAdd(data.address, 1), sizeBytes: data.sizeBytes };
  await connection.request(memory.readMemory, wrong, live).catch(() => {});
}

/** `write(1, address, 16)` */
function printing(address: ExecutorAddr): Uint8Array<ArrayBuffer> {
  const bytes = Buffer.alloc(8);
  bytes.writeBigUInt64LE(address);
  return Uint8Array.from([
    ...[0xbf, 1, 0, 0, 0], // mov $1, %edi
    ...[0x48, 0xbe, ...bytes], // mov $address, %rsi
    ...[0xba, 16, 0, 0, 0], // mov $16, %edx
    ...[0xb8, 1, 0, 0, 0], // mov $SYS_write, %eax
    ...[0x0f, 0x05], // syscall
    0xc3,
  ]);
}

test('what a session holds is in no other one, beside it or later, of whomever, nor in logs and metrics', async (t) => {
  const { server, url, log, metrics } = await startHost(t);
  const canaries = new Canaries();
  const closed = async (spy: SpyingSession) => {
    spy.compiler.connection.close();
    await until(() => ![...server.sessions].some(({ id }) => id === spy.compiler.opened.session));
  };

  // Sees its own: then not to see another's means something.
  const first = await SpyingSession.open(t, url, TOKENS.a);
  await plant(first, canaries, 'first');
  await first.look();
  const own = ['data', 'constant', 'code', 'call block, stack and heap', 'output'];
  const found = canaries.foundIn(...first.received);
  for (const where of own)
    t.true(
      found.some((what) => what.includes(where)),
      where,
    );

  // One is beside the others all the while, one has ended, one has trapped, one has said last words.
  const beside = await SpyingSession.open(t, url, TOKENS.a);
  await plant(beside, canaries, 'beside');
  await closed(first);
  const trapping = await SpyingSession.open(t, url, TOKENS.a);
  await plant(trapping, canaries, 'trapped');
  const trap = await trapping.place('code', illegalInstruction());
  await t.throwsAsync(trapping.call(trap, new Uint8Array(8)), { code: 'RUNNER_LOST' });
  const talking = await SpyingSession.open(t, url, TOKENS.a);
  await plant(talking, canaries, 'talked');
  const lastWords = new Canaries();
  const words = lastWords.plantText('last words').padEnd(END_MESSAGE_BYTES, '!');
  const { offset } = layoutReservation(4096, RESERVATION).control;
  const control = addrAdd(talking.parts.code.address, offset);
  const sayThem = await talking.place(
    'code',
    Uint8Array.from([...[0x48, 0x89, 0xfe] /* mov %rdi, %rsi */, ...endWithWords(control)]),
  );
  const lost = await t.throwsAsync(talking.call(sayThem, new Uint8Array(Buffer.from(words))), {
    code: 'RUNNER_LOST',
  });
  t.deepEqual(
    lastWords.foundIn(
      JSON.stringify(lost, (_, value) => (typeof value === 'bigint' ? String(value) : value)),
    ),
    ['last words'],
  );

  // A new runner of the same session, sessions of another identity and of the same, in pooled runners and new ones.
  const receivedBefore = trapping.received.length;
  await startRunner(trapping.compiler);
  await trapping.look();
  t.deepEqual(canaries.foundIn(...trapping.received.slice(receivedBefore)), []);
  await closed(talking);
  const later: SpyingSession[] = [];
  for (const token of [TOKENS.b, TOKENS.b, TOKENS.a]) {
    const spy = await SpyingSession.open(t, url, token);
    later.push(spy);
    await spy.look();
    t.true(spy.received.reduce((total, { byteLength }) => total + byteLength, 0) > 3 * 1024 * KIB);
    t.deepEqual(canaries.foundIn(...spy.received), []);
    t.deepEqual(lastWords.foundIn(...spy.received), []);
    // Where another's memory is, is nothing of one's own.
    for (const { address } of Object.values(beside.parts)) {
      const elsewhere = spy.compiler.connection.request(
        memory.readMemory,
        { address, sizeBytes: 16 },
        spy.compiler.live,
      );
      const isOwn = Object.values(spy.parts).some((part) => part.address === address);
      if (!isOwn) await t.throwsAsync(elsewhere, { code: 'INVALID_ADDRESS' });
      else t.deepEqual(canaries.foundIn((await elsewhere).content), []);
    }
  }
  // Resumed, it has its own, and nobody else's.
  const besideBefore = beside.received.length;
  beside.cut();
  await beside.look();
  const besideFound = canaries.foundIn(...beside.received.slice(besideBefore));
  t.true(
    besideFound.length >= 4 && besideFound.every((what) => what.startsWith('beside')),
    besideFound.join(', '),
  );

  for (const spy of later) await closed(spy);
  t.deepEqual(canaries.foundIn(log(), await metrics()), []);
  // What a runner says at its end is for who runs the executor; metrics have no words.
  t.deepEqual(lastWords.foundIn(await metrics()), []);
  t.regex(log(), /"event":"runner-ended".*"event":"session-resumed"/s);
});

for (const { path, version } of installedLibLLVMs())
  test(`libLLVM ${version}: nothing of one module is in what a shared code generator makes of the next`, async (t) => {
    const canaries = new Canaries();
    const target = { triple: 'x86_64-pc-linux-gnu', cpuName: 'x86-64', cpuFeatures: '' };
    const inputOf = (name: string, text: string) =>
      ({ name, ir: bitcode(assemble(text)), target, optLevel: 1 }) as const;
    const bytes = [...canaries.plant('constant')]
      .map((byte) => `\\${byte.toString(16).padStart(2, '0')}`)
      .join('');
    const name = canaries.plantText('name');
    const secret = inputOf(
      canaries.plantText('module'),
      `@${name} = constant [16 x i8] c"${bytes}"
       define i8* @f_${name}(double %x) { ret i8* getelementptr ([16 x i8], [16 x i8]* @${name}, i64 0, i64 0) }`,
    );
    const refused = inputOf(
      canaries.plantText('refused'),
      `define void @${canaries.plantText('asm')}() { call void asm "bogus", ""() ret void }`,
    );
    const plain = inputOf('plain', 'define double @g(double %x) { %y = fadd double %x, 0.3 ret double %y }');
    const shared = new CodegenPool({ size: 1, libLLVM: () => path });
    const alone = new CodegenPool({ size: 1, libLLVM: () => path });
    t.teardown(() => Promise.all([shared.stop(), alone.stop()]));
    t.deepEqual(canaries.foundIn((await shared.compile(secret)).object), ['constant', 'name']);
    await t.throwsAsync(shared.compile(refused));
    const [processId] = shared.processIds;
    const { object } = await shared.compile(plain);
    const texts = [await shared.print(plain, 'asm'), await shared.print(plain, 'ir')];
    const error = await t.throwsAsync(shared.compile({ ...plain, passes: 'no-such-pass' }));
    t.deepEqual(shared.processIds, [processId ?? 0]);
    t.deepEqual(canaries.foundIn(object, ...texts, String(error)), []);
    t.deepEqual(Buffer.from(object), Buffer.from((await alone.compile(plain)).object));
  });

test('memory that was somebody else’s and is not cleared is in nothing that is sent or kept', async (t) => {
  // Of first code nothing is kept.
  for (const baseline of ['on', 'off']) {
    const script = await runScript('poisoned-process.js', [baseline], false);
    const { sentBytes, keptBytes, found } = JSON.parse(script);
    t.log(`${sentBytes} bytes sent, ${keptBytes} bytes kept`);
    t.true(sentBytes > 4000 && keptBytes > (baseline === 'on' ? 1000 : 4000));
    t.deepEqual(found, []);
  }
});

const reason = cannotRunAsUser();
(reason === undefined ? test : test.skip)(
  `another user reads nothing of a cache${reason === undefined ? '' : ` (skipped: ${reason})`}`,
  async (t) => {
    const folder = mkdtempSync(join(tmpdir(), 'farjit-cache-of-another-'));
    t.teardown(() => rmSync(folder, { recursive: true }));
    // Others may enter what it is in.
    execFileSync('chmod', ['755', folder]);
    const cacheDir = join(folder, 'cache');
    const jit = await KaleidoscopeJIT.create({ cacheDir, baseline: 'off' });
    await jit.addSource('def f(x) x * 3; f(2);');
    await jit.close();
    const names = readdirSync(cacheDir);
    t.deepEqual(names.map((name) => name.replace(/[0-9a-f]{32}/, 'N')).sort(), ['key', 'objects-N.pack']);
    const asNobody = { uid: NOBODY, gid: NOBODY, cwd: '/' };
    t.is(spawnSync('ls', [folder], asNobody).status, 0);
    t.not(spawnSync('ls', [cacheDir], asNobody).status, 0);
    for (const name of names) t.not(spawnSync('cat', [join(cacheDir, name)], asNobody).status, 0);
  },
);
