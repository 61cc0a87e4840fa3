import {
  type Commit,
  type CommitPart,
  Connection,
  createMemoryTransportPair,
  indirection,
  type MemProt,
  memory,
  type ParamsOf,
  type RequestType,
  type RunnerMemory,
  type RunnerStarted,
  run,
  type Segment,
  session,
  symbols,
} from '@farjit/protocol';
import { RemoteError } from '@farjit/protocol/errors';
import { toExecutorAddr } from '@farjit/protocol/executor-addr';
import * as v from 'valibot';
import { createHostResources, Session } from '#executor/src/index.js';
import { OPEN, openOn, WANTED } from '#executor/test/open-on.js';
import type { Random } from '../random.js';
import { type FuzzTarget, must, type TargetFactory, Violation } from '../target.js';
import { mustBePrintable } from './decoder.js';

/** Codes of the wire, less INTERNAL: that one means that nobody foresaw what happened. */
const CODES = new Set([
  'METHOD_NOT_ALLOWED',
  'INVALID_PARAMS',
  'INVALID_ADDRESS',
  'LIMIT_EXCEEDED',
  'STALE_GENERATION',
  'RUNNER_LOST',
  'CANCELLED',
  'DEADLINE_EXCEEDED',
  'CALLBACK_FAILED',
]);

const OPERATION_BYTES = 8;
const RESERVED_BYTES = 16 * 4096;
const PROTS: readonly MemProt[] = ['code', 'constant', 'data'];
/** One in so many inputs ends with a look at all memory. */
const CHECK_INTERVAL = 4;
/** Beyond so many reservations a fresh session is as good, and faster. */
const OPERATIONS_PER_SESSION = 20_000;

/**
 * An executor's session with a live runner, asked by a compiler that means no good: addresses and lengths around the
 * edges of what it has, in all combinations. Every request has one answer with a code, the session goes on, and memory
 * holds what commits that were accepted have put there: one that was refused has changed nothing.
 *
 * An input is a list of operations of `OPERATION_BYTES` bytes, each a request.
 */
export const hostSession: TargetFactory = {
  name: 'session',
  longInputs: 200_000,
  shortInputs: 120,
  create: async ({ planted = false } = {}) => {
    const target = new SessionTarget(planted);
    await target.open();
    return target;
  },
};

class SessionTarget implements FuzzTarget {
  readonly name = 'session';
  readonly stages = ['all refused by the schema', 'all refused by the session', 'something done'];
  readonly #host = createHostResources();
  readonly #isPlanted: boolean;
  #hosted: Session | undefined;
  #connection: Connection | undefined;
  #generation = 0;
  #parts!: { code: bigint; constant: bigint; data: bigint; pointers: bigint };
  /** What they must hold. */
  readonly #expected: Record<MemProt, Uint8Array> = {
    code: new Uint8Array(),
    constant: new Uint8Array(),
    data: new Uint8Array(),
  };
  #operations = 0;

  constructor(isPlanted: boolean) {
    this.#isPlanted = isPlanted;
  }

  generate(random: Random): Uint8Array {
    return Uint8Array.from({ length: OPERATION_BYTES * (1 + random.below(4)) }, () => random.below(256));
  }

  async run(input: Uint8Array): Promise<string> {
    let reached = 0;
    for (let at = 0; at + OPERATION_BYTES <= input.byteLength; at += OPERATION_BYTES)
      reached = Math.max(reached, await this.#operate(input.subarray(at, at + OPERATION_BYTES)));
    if (this.#operations > OPERATIONS_PER_SESSION) {
      await this.close();
      await this.open();
    }
    if ((input[0] ?? 0) % CHECK_INTERVAL === 0) await this.#compareMemory();
    const connection = this.#connection;
    must(connection !== undefined && !connection.isClosed, () => 'the connection was closed');
    return this.stages[reached] ?? '';
  }

  async open(): Promise<void> {
    const [near, far] = createMemoryTransportPair();
    this.#hosted = new Session({ host: this.#host, transport: far });
    if (this.#isPlanted) breakReading(this.#hosted.connection);
    this.#connection = new Connection(near);
    this.#connection.onNotification(session.output, () => {});
    this.#connection.onNotification(session.runnerLost, () => {});
    this.#connection.handle(indirection.reenter, async () => ({
      outcome: 'failed' as const,
      token: 1,
      message: 'nothing is compiled here',
    }));
    this.#connection.start();
    const { runner } = await openOn(this.#connection, { ...OPEN, client: 'fuzz' });
    this.#operations = 0;
    await this.#begin(runner);
  }

  async close(): Promise<void> {
    this.#connection?.close();
    await this.#hosted?.ended;
  }

  /** What operations play with: the ends of each kind of memory, and a first stub. */
  async #begin({ generation, memory, stubs }: RunnerStarted): Promise<void> {
    this.#generation = generation;
    const lastOf = ({ address, sizeBytes }: RunnerMemory['code']) =>
      address + BigInt(sizeBytes - RESERVED_BYTES);
    this.#parts = {
      code: lastOf(memory.code),
      constant: lastOf(memory.constant),
      data: lastOf(memory.data),
      pointers: stubs.pointers,
    };
    await this.#noteMemory();
  }

  /** It holds whatever was there before. */
  async #noteMemory(): Promise<void> {
    for (const prot of PROTS) this.#expected[prot] = Uint8Array.from(await this.#readPart(prot));
  }

  async #compareMemory(): Promise<void> {
    for (const prot of PROTS) {
      const content = await this.#readPart(prot);
      must(
        Buffer.compare(content, this.#expected[prot]) === 0,
        () => `${prot} memory is not what was committed`,
      );
    }
  }

  async #readPart(prot: MemProt): Promise<Uint8Array> {
    const address = toExecutorAddr(this.#parts[prot]);
    return (await this.#ask(memory.readMemory, { address, sizeBytes: RESERVED_BYTES })).content;
  }

  /** A commit that was accepted, or a part of one. It may begin before what is looked at. */
  #apply({ segments, pointers }: CommitPart): void {
    const write = (address: bigint, sizeBytes: number, content: Uint8Array) => {
      for (const prot of PROTS) {
        const start = Number(address - this.#parts[prot]);
        const [from, to] = [Math.max(start, 0), Math.min(start + sizeBytes, RESERVED_BYTES)];
        if (from >= to) continue;
        const expected = this.#expected[prot];
        expected.fill(0, from, to);
        expected.set(content.subarray(from - start, to - start), from);
      }
    };
    for (const { address, content, memoryBytes } of segments) write(address, memoryBytes, content);
    for (const { address, value } of pointers)
      write(address, 8, new Uint8Array(BigUint64Array.of(value).buffer));
  }

  async #ask<M extends RequestType>(type: M, params: ParamsOf<M>, generation = this.#generation) {
    const connection = this.#connection;
    if (!connection) throw new Violation('no connection');
    return connection.request(type, params, { generation });
  }

  /** @returns the number of the stage. */
  async #operate(operation: Uint8Array): Promise<number> {
    this.#operations++;
    const [what = 0, where = 0, howFar = 0, howLong = 0, x = 0, y = 0, z = 0, generation = 0] = operation;
    const [type, params, parts = []] = this.#request(what, { where, howFar, howLong, x, y, z });
    const spokenOf = generation % 16 === 0 ? generation : this.#generation;
    for (const part of parts) this.#connection?.notify(memory.stageCommit, part, spokenOf);
    try {
      const answer = this.#ask(type, params as ParamsOf<RequestType>, spokenOf);
      if (type.method === run.runProgram.method)
        this.#connection?.notify(
          run.programInput,
          { content: new Uint8Array(x), isLast: y % 4 < 2 },
          spokenOf,
        );
      await answer;
      // Its end is its runner's.
      if (type.method === run.runProgram.method) await this.#startOver();
      if (type.method === memory.commitMemory.method)
        for (const part of [...parts, (params as { commit: Commit }).commit]) this.#apply(part);
      // Whatever was called may have written to it.
      if (type.method === run.call.method || type.method === run.callAndRead.method) await this.#noteMemory();
      return 2;
    } catch (error) {
      if (!(error instanceof RemoteError)) throw error;
      must(CODES.has(error.code), () => `${type.method} failed with ${error.code}: ${error.message}`);
      mustBePrintable(error.message);
      // So has one whose commit was refused.
      if (error.code === 'RUNNER_LOST' || 'commit' in (params as object)) await this.#startOver();
      return v.is(type.params, params) ? 1 : 0;
    }
  }

  async #startOver(): Promise<void> {
    await this.#begin(await this.#ask(session.startRunner, WANTED));
  }

  #request(
    what: number,
    { where, howFar, howLong, x, y, z }: Record<'where' | 'howFar' | 'howLong' | 'x' | 'y' | 'z', number>,
  ): [RequestType, unknown, CommitPart[]?] {
    const { code, constant, data, pointers } = this.#parts;
    const base = [code, constant, data, pointers, 0n, 2n ** 64n - 1n, 2n ** 47n][where % 7] ?? 0n;
    const address = BigInt.asUintN(64, base + (DISTANCES[howFar % DISTANCES.length] ?? 0n));
    const size = LENGTHS[howLong % LENGTHS.length] ?? 0;
    const prot = ['code', 'constant', 'data', 'rwx'][x % 4];
    const content = new Uint8Array(CONTENTS[y % CONTENTS.length] ?? 0).fill(z);
    const commit = (fields: object) => ({
      commit: {
        ...memory.emptyCommit(),
        ...fields,
      },
    });
    const segment = { address, prot, content, memoryBytes: size };
    const part = { segments: [segment as Segment], pointers: [] };
    switch (what % 13) {
      case 12: {
        // One part, sometimes with another commit than it was for.
        const stagedParts = x % 4 === 3 ? y % 3 : 1;
        if (!v.is(memory.stageCommit.params, part)) return [memory.commitMemory, commit({ stagedParts })];
        const other = { ...segment, address: BigInt.asUintN(64, address + BigInt(y)) };
        return [memory.commitMemory, commit({ segments: z % 2 ? [other] : [], stagedParts }), [part]];
      }
      case 0:
      case 1:
        return [memory.commitMemory, commit({ segments: [segment] })];
      case 2:
        return [
          memory.commitMemory,
          commit({ segments: [segment, { ...segment, address: BigInt.asUintN(64, address + BigInt(y)) }] }),
        ];
      case 3:
        return [memory.commitMemory, commit({ pointers: [{ address, value: BigInt(z) }] })];
      case 4:
        return [memory.readMemory, { address, sizeBytes: size }];
      case 5:
        return [
          memory.commitMemory,
          commit({ segments: [segment], actions: [{ action: ACTIONS[x % 4], address, sizeBytes: size }] }),
        ];
      case 6:
      case 7:
        return [indirection.emitStubs, { stubCount: y % 5 }];
      case 8:
        return [symbols.lookupSymbols, { names: NAMES.slice(x % NAMES.length).slice(0, 1 + (y % 3)) }];
      case 9:
        return [
          memory.commitMemory,
          commit({
            actions: [x, y].map((kind) => ({ action: ACTIONS[kind % 4], address, sizeBytes: size })),
          }),
        ];
      case 10:
        return [session.sessionStatus, {}];
      default:
        // Calling anything at all takes a runner: seldom.
        if (z % 128 === 64)
          return [
            run.callAndRead,
            {
              entry: address,
              block: content.subarray(0, 64),
              ...commit({ segments: [segment] }),
              read: { address: BigInt.asUintN(64, address + BigInt(y)), sizeBytes: size },
            },
          ];
        if (z % 128 === 32)
          return [
            run.runProgram,
            {
              ...{ main: address, argumentCount: x, arguments: address, environment: address },
              ...{ hasInput: y % 2 === 1, lineBuffered: true },
              ...commit({}),
            },
          ];
        return z % 64 === 0
          ? [run.call, { entry: address, block: content.subarray(0, 64), ...commit({}) }]
          : [memory.readMemory, { address: BigInt(z), sizeBytes: size }];
    }
  }
}

const ACTIONS = ['registerEHFrames', 'deregisterEHFrames', 'invalidateInstructionCache', 'unknown'];
const PAGE = 4096n;
const END = BigInt(RESERVED_BYTES);
const DISTANCES = [
  0n,
  1n,
  -1n,
  4n,
  8n,
  -8n,
  PAGE,
  PAGE - 1n,
  -PAGE,
  END,
  END - 1n,
  END - 8n,
  END + 1n,
  END - PAGE,
  2n ** 28n,
  -(2n ** 28n),
];
const LENGTHS = [
  0,
  1,
  7,
  8,
  9,
  64,
  4095,
  4096,
  4097,
  RESERVED_BYTES - 1,
  RESERVED_BYTES,
  RESERVED_BYTES + 1,
  1 << 20,
  (1 << 20) + 1,
  2 ** 31,
  2 ** 32,
  2 ** 53 - 1,
  -1,
  0.5,
];
const CONTENTS = [0, 1, 8, 16, 4096, 4097];
const NAMES = [
  'sin',
  'nowhere',
  '',
  'a\0b',
  '\u001b[2J',
  'x'.repeat(4096),
  'x'.repeat(4097),
  'printd',
  '__proto__',
];

/** The planted bug: a read answers with zeros, and a read of nothing goes wrong in a way nobody foresaw. */
function breakReading(connection: Connection): void {
  connection.handle(memory.readMemory, async ({ sizeBytes }) => {
    if (sizeBytes === 0) throw new TypeError('undefined is not an object');
    return { content: new Uint8Array(sizeBytes) };
  });
}
