import { randomBytes } from 'node:crypto';
import { readdirSync, readlinkSync } from 'node:fs';
import { JIT, type SessionEvent } from '@farjit/compiler';
import { hashToken, Server } from '@farjit/executor';
import test, { type ExecutionContext } from 'ava';
import { ContentStore } from '#executor/src/files/content-store.js';
import { FaultProxy } from './faults/fault-proxy.js';
import { eventually } from './jit-fixture.js';

const MIB = 1024 ** 2;

/** Prints a sum of a file's bytes, and how many there are. */
const SUM = `
  #include <stdio.h>
  int main(int count, char **arguments) {
    static unsigned char bytes[65536];
    unsigned long long sum = 0, all = 0;
    FILE *file = fopen(arguments[1], "r");
    if (!file) return 1;
    for (size_t size; (size = fread(bytes, 1, sizeof bytes, file)) > 0; all += size)
      for (size_t i = 0; i < size; i++) sum = sum * 31 + bytes[i];
    printf("%llu %llx", all, sum);
    return 0;
  }`;

function sumOf(content: Uint8Array): string {
  let sum = 0n;
  for (const byte of content) sum = BigInt.asUintN(64, sum * 31n + BigInt(byte));
  return `${content.byteLength} ${sum.toString(16)}`;
}

async function startServer(t: ExecutionContext) {
  const tokens = ['one', 'other'].map((name) => ({ name, sha256: hashToken(name), quotas: {} }));
  const server = new Server({ credentials: { tokens, certificates: [] } });
  t.teardown(() => server.close());
  return { server, url: await server.listen('ws://127.0.0.1:0') };
}

async function openProgram(t: ExecutionContext, url: string, token = 'one') {
  let printed = '';
  const events: SessionEvent[] = [];
  const jit = await JIT.create({
    executor: { url, token },
    onOutput: (_, content) => {
      printed += Buffer.from(content).toString();
    },
    onEvent: (event) => events.push(event),
  });
  t.teardown(() => jit.close());
  await jit.addC(SUM);
  const sum = async (content: Uint8Array, signal?: AbortSignal) => {
    printed = '';
    await jit.runProgram({ argv: ['sum', '/file'], files: { '/file': content }, signal });
    return printed;
  };
  /** Slices that have been taken. */
  const sliceCount = () => jit.statistics().roundTrips.sendFile ?? 0;
  return { jit, sum, sliceCount, events };
}

test('a content goes over once for each identity, and to know its digest grants nothing to another', async (t) => {
  const { url } = await startServer(t);
  const content = randomBytes(3 * MIB + 5);
  const first = await openProgram(t, url);
  t.is(await first.sum(content), sumOf(content));
  t.is(first.sliceCount(), 4);
  t.is(await first.sum(content), sumOf(content));
  t.is(first.sliceCount(), 4);
  const second = await openProgram(t, url);
  t.is(await second.sum(content), sumOf(content));
  t.is(second.sliceCount(), 0);
  // The offer is the same, byte by byte: whoever knows the digest has to send it.
  const stranger = await openProgram(t, url, 'other');
  t.is(await stranger.sum(content), sumOf(content));
  t.is(stranger.sliceCount(), 4);
});

test('a connection that is lost in the middle of a transfer is resumed, and each slice is taken once', async (t) => {
  const { url } = await startServer(t);
  const proxy = await FaultProxy.listen(url);
  t.teardown(() => proxy.close());
  const { sum, sliceCount, events, jit } = await openProgram(t, proxy.url);
  const content = randomBytes(8 * MIB);
  const cut = proxy.inject({ fault: 'cut', afterBytes: 2.5 * MIB, way: 'up' });
  t.is(await sum(content), sumOf(content));
  await cut;
  t.is(sliceCount(), 8);
  t.is(events.filter(({ type }) => type === 'connection-lost').length, 1);
  // And on the way back.
  await jit.addC(`
    #include <stdio.h>
    int copy(int count, char **arguments) {
      static char bytes[65536];
      FILE *from = fopen("/file", "r"), *to = fopen("/tmp/copy", "w");
      for (size_t size; (size = fread(bytes, 1, sizeof bytes, from)) > 0;) fwrite(bytes, 1, size, to);
      return fclose(to);
    }`);
  const back = proxy.inject({ fault: 'cut', afterBytes: 3.5 * MIB, way: 'down' });
  const { files } = await jit.runProgram({ entry: 'copy', files: { '/file': content }, collect: ['/tmp/*'] });
  await back;
  t.true(Buffer.from(files?.get('/tmp/copy') ?? []).equals(content));
});

for (const what of ['cancel', 'deadline'] as const)
  test(`a ${what} ends a transfer at once, and the session goes on`, async (t) => {
    const { url } = await startServer(t);
    // No answer comes before that.
    const proxy = await FaultProxy.listen(url, { delayMs: 200 });
    t.teardown(() => proxy.close());
    const { jit, sum, sliceCount } = await openProgram(t, proxy.url);
    const content = randomBytes(40 * MIB);
    const ending = new AbortController();
    const options = what === 'deadline' ? { deadlineMs: 1500 } : { signal: ending.signal };
    const running = t.throwsAsync(async () => jit.runProgram({ files: { '/file': content }, ...options }), {
      code: what === 'deadline' ? 'DEADLINE_EXCEEDED' : 'CANCELLED',
    });
    if (what === 'cancel') {
      await eventually(() => sliceCount() >= 2, 'the transfer is under way');
      ending.abort();
    }
    await running;
    // Those that were on their way are answered, and no others are sent.
    const endCount = sliceCount();
    t.true(endCount < 40);
    t.is(jit.statistics().runnersLost, 0);
    t.is(await sum(content.subarray(0, 100)), sumOf(content.subarray(0, 100)));
    t.true(sliceCount() <= endCount + 4 + 1, `${endCount} slices, then ${sliceCount()}`);
  });

test('a deadline ends the collecting of what a program has left, and says that', async (t) => {
  const { url } = await startServer(t);
  const proxy = await FaultProxy.listen(url, { delayMs: 100 });
  t.teardown(() => proxy.close());
  const { jit, sum } = await openProgram(t, proxy.url);
  await jit.addC(`
    #include <stdio.h>
    int leaves(void) {
      for (int i = 0; i < 200; i++) {
        char path[16];
        sprintf(path, "/tmp/%d", i);
        FILE *file = fopen(path, "w");
        fputs("content", file);
        fclose(file);
      }
      return 0;
    }`);
  const left = { entry: 'leaves', files: {}, collect: ['/tmp/*'] };
  const error = await t.throwsAsync(async () => jit.runProgram({ ...left, deadlineMs: 5000 }), {
    code: 'DEADLINE_EXCEEDED',
  });
  t.regex(error.message, /what it has left was not collected by then/);
  t.true((jit.statistics().roundTrips.readFile ?? 0) < 200);
  t.is(await sum(Buffer.from('a')), sumOf(Buffer.from('a')));
});

// Alone: what holds the contents is not the server's to show.
test.serial('what was sent of a transfer that is given up is not held until the session ends', async (t) => {
  const { url } = await startServer(t);
  const proxy = await FaultProxy.listen(url, { delayMs: 100 });
  t.teardown(() => proxy.close());
  const { jit, sum } = await openProgram(t, proxy.url);
  const held: { store?: ContentStore; owner: string } = { owner: '' };
  const { reserve } = ContentStore.prototype;
  t.teardown(() => {
    ContentStore.prototype.reserve = reserve;
  });
  ContentStore.prototype.reserve = function (owner, sizeBytes) {
    Object.assign(held, { store: this, owner });
    reserve.call(this, owner, sizeBytes);
  };
  const ending = new AbortController();
  const running = t.throwsAsync(() => sum(randomBytes(40 * MIB), ending.signal), { code: 'CANCELLED' });
  const heldBytes = () => held.store?.heldBytesOf(held.owner);
  await eventually(() => heldBytes() === 40 * MIB, 'the transfer is under way');
  ending.abort();
  await running;
  await eventually(() => heldBytes() === 0, 'nothing is held');
  t.is(jit.statistics().runnersLost, 0);
});

// Before the others, whose files are there meanwhile.
test.serial(
  'when a session has ended nothing of its files is left but what is kept for the next',
  async (t) => {
    const { server, url } = await startServer(t);
    const { jit, sum } = await openProgram(t, url);
    await sum(randomBytes(2 * MIB));
    await jit.close();
    await eventually(() => server.sessions.size === 0, 'the session has ended');
    const leads = readdirSync('/proc/self/fd').map((fd) => {
      try {
        return readlinkSync(`/proc/self/fd/${fd}`);
      } catch {
        return '';
      }
    });
    t.deepEqual(
      leads.filter((lead) => lead.includes('farjit-files') || lead.includes('/.farjit')),
      [],
    );
  },
);
