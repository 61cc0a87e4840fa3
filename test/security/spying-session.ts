import { once } from 'node:events';
import {
  type Commit,
  Connection,
  type MemProt,
  memory,
  RESUMPTION_HEADERS,
  type Reopened,
  run,
  session,
  type Transport,
  WEBSOCKET_OPTIONS,
  WebSocketTransport,
} from '@farjit/protocol';
import { addrAdd, type ExecutorAddr } from '@farjit/protocol/executor-addr';
import type { ExecutionContext } from 'ava';
import { WebSocket } from 'ws';
import { SessionResumer } from '#compiler/src/executor-client/session-resumer.js';
import {
  commitOf,
  load,
  openOver,
  reserve,
  segmentOf,
  type TestCompiler,
} from '#executor/test/session-fixture.js';

/** What one request reads at most. */
const READ_BYTES = 1 << 20;
const DUMP_BYTES = 256 * 1024;
/** A runner's stacks and heaps are smaller; what is larger is address space. */
const MAX_MAPPING_BYTES = 32 * 1024 * 1024;

/** `block[2] = write(1, block[0], block[1])`, as `void entry(uint64_t *block)`. */
const DUMP = Uint8Array.from([
  0x53, // push %rbx
  ...[0x48, 0x89, 0xfb], // mov %rdi, %rbx
  ...[0xbf, 1, 0, 0, 0], // mov $1, %edi
  ...[0x48, 0x8b, 0x33], // mov (%rbx), %rsi
  ...[0x48, 0x8b, 0x53, 0x08], // mov 8(%rbx), %rdx
  ...[0xb8, 1, 0, 0, 0], // mov $1, %eax: SYS_write
  ...[0x0f, 0x05], // syscall
  ...[0x48, 0x89, 0x43, 0x10], // mov %rax, 16(%rbx)
  0x5b, // pop %rbx
  0xc3, // ret
]);

/** A session of which all that it is sent is kept, and that can look at all that it can reach. It is resumed when it is cut. */
export class SpyingSession {
  readonly compiler: TestCompiler;
  readonly #wire: Wire;

  private constructor(compiler: TestCompiler, wire: Wire) {
    this.compiler = compiler;
    this.#wire = wire;
  }

  static async open(t: ExecutionContext, url: string, token: string): Promise<SpyingSession> {
    const wire = new Wire(url, token);
    const transport = await wire.connect();
    const connection: Connection = new Connection(transport, {
      timeToLiveMs: session.MAX_TIME_TO_LIVE_MS,
      onBroken: () => void resumer.resume(),
    });
    const resumer = new SessionResumer(connection, transport, () => {});
    return new SpyingSession(await openOver(t, transport, connection), wire);
  }

  get received(): readonly Buffer[] {
    return this.#wire.received;
  }

  /** Loses the connection. */
  cut(): void {
    this.#wire.socket?.terminate();
  }

  get parts() {
    return this.compiler.runner.memory;
  }

  /** Puts bytes into memory of its own. */
  async place(prot: MemProt, content: Uint8Array<ArrayBuffer>): Promise<ExecutorAddr> {
    if (prot === 'code') return load(this.compiler, content);
    const address = await reserve(this.compiler, prot, content.byteLength);
    await this.commit(commitOf({ segments: [segmentOf(address, prot, content)] }));
    return address;
  }

  async commit(commit: Commit): Promise<void> {
    await this.compiler.connection.request(memory.commitMemory, { commit }, this.compiler.live);
  }

  async call(entry: ExecutorAddr, block: Uint8Array<ArrayBuffer>): Promise<Buffer> {
    const params = { entry, block, commit: commitOf() };
    const answer = await this.compiler.connection.request(run.call, params, this.compiler.live);
    return Buffer.from(answer.block);
  }

  /** Has the host read all of its code, constant and data memory, and code of its own write all that it can read. */
  async look(): Promise<void> {
    const { connection, live } = this.compiler;
    for (const { address, sizeBytes } of Object.values(this.parts))
      for (let done = 0; done < sizeBytes; done += READ_BYTES) {
        const piece = { address: addrAdd(address, done), sizeBytes: Math.min(READ_BYTES, sizeBytes - done) };
        await connection.request(memory.readMemory, piece, live);
      }
    const { maps } = await connection.request(session.runnerMaps, {}, live);
    const dump = await this.place('code', DUMP);
    for (const { start, sizeBytes } of readableMemory(maps))
      for (let done = 0; done < sizeBytes; done += DUMP_BYTES) {
        const block = Buffer.alloc(24);
        block.writeBigUInt64LE(start + BigInt(done), 0);
        block.writeBigUInt64LE(BigInt(Math.min(DUMP_BYTES, sizeBytes - done)), 8);
        const answer = await this.call(dump, new Uint8Array(block));
        // A guard page in it, or memory that went away meanwhile, ends it early: there is nothing to see.
        if (answer.readBigInt64LE(16) <= 0n) break;
      }
  }
}

/** Mappings that may hold what somebody wrote: not those of files, which are on disk for everybody. */
function readableMemory(maps: string): { start: bigint; sizeBytes: number }[] {
  return maps.split('\n').flatMap((line) => {
    const match = /^([0-9a-f]+)-([0-9a-f]+) r(.)\S+ \S+ \S+ \d+\s*(.*)$/.exec(line);
    if (!match) return [];
    const [, from, to, writable, path = ''] = match;
    const isFile = path.startsWith('/') && !path.startsWith('/memfd:') && writable !== 'w';
    const isKernels = /^\[v/.test(path);
    const start = BigInt(`0x${from}`);
    const sizeBytes = Number(BigInt(`0x${to}`) - start);
    return isFile || isKernels || sizeBytes > MAX_MAPPING_BYTES ? [] : [{ start, sizeBytes }];
  });
}

/** The connections of one session, and what came over them. */
class Wire {
  readonly received: Buffer[] = [];
  socket: WebSocket | undefined;
  readonly #url: string;
  readonly #token: string;

  constructor(url: string, token: string) {
    this.#url = url;
    this.#token = token;
  }

  async connect(): Promise<Transport> {
    return (await this.#connect({})).transport;
  }

  async #connect(more: Record<string, string>): Promise<Reopened> {
    const headers = { authorization: `Bearer ${this.#token}`, ...more };
    const socket = new WebSocket(this.#url, { ...WEBSOCKET_OPTIONS, headers });
    this.socket = socket;
    socket.on('message', (data) => this.received.push(Buffer.from(data as Buffer)));
    const upgraded = once(socket, 'upgrade');
    await once(socket, 'open');
    const [response] = await upgraded;
    const header = (name: string) => String(response.headers[name]);
    const reopen = (receivedCount: number) =>
      this.#connect({
        [RESUMPTION_HEADERS.session]: header(RESUMPTION_HEADERS.session),
        [RESUMPTION_HEADERS.secret]: header(RESUMPTION_HEADERS.secret),
        [RESUMPTION_HEADERS.received]: String(receivedCount),
      });
    const transport = Object.assign(new WebSocketTransport(socket), { reopen });
    return { transport, receivedCount: Number(header(RESUMPTION_HEADERS.received)) };
  }
}
