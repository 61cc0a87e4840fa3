import type { Transport } from '@farjit/protocol';
import { FarJITError } from '@farjit/protocol/errors';
import { toExecutorAddr } from '@farjit/protocol/executor-addr';
import {
  type MaterializationResponsibility,
  MaterializationUnit,
  ObjectPart,
} from '#compiler/src/core/materialization-unit.js';
import { strongSymbols } from '#compiler/src/core/symbol-flags.js';
import { buildLinkGraph } from '#compiler/src/jitlink/elf/elf.js';
import { ExecutionSession } from '#compiler/src/session/execution-session.js';
import { FakeHost } from '#compiler/test/executor-client/fake-host.js';
import { decodeFrame, encodeFrame } from '#protocol/src/codec.js';
import { objectNamed } from '../corpus.js';
import { Random } from '../random.js';
import { type FuzzTarget, must, type TargetFactory, Violation } from '../target.js';
import { mustBePrintable } from './decoder.js';
import { mutateValue } from './frame-inputs.js';

const NO_TIMINGS = { irgenMs: 0, parseMs: 0, passesMs: 0, emitMs: 0 };
/** A step of the play; a compiler that waits longer for a host that has answered waits for ever. */
const STEP_MS = 20_000;

/**
 * The compiler's session with a host that lies: of what an honest one sends, values are changed on the way. Every step
 * ends, well or with an error of ours; nothing is left unhandled.
 *
 * An input is 32 bits that say which frames are changed and how.
 */
export const lyingHost: TargetFactory = {
  name: 'lying-host',
  longInputs: 100_000,
  shortInputs: 300,
  create: ({ planted = false } = {}) => new LyingHost(planted),
};

class LyingHost implements FuzzTarget {
  readonly name = 'lying-host';
  readonly stages = ['refused on opening', 'some steps failed', 'all steps went well'];
  readonly #object = objectNamed('llvm-14.o');
  readonly #isPlanted: boolean;
  readonly #unhandled: unknown[] = [];
  readonly #onUnhandled = (reason: unknown) => this.#unhandled.push(reason);

  constructor(isPlanted: boolean) {
    this.#isPlanted = isPlanted;
    process.on('unhandledRejection', this.#onUnhandled);
  }

  generate(random: Random): Uint8Array {
    return Uint8Array.from({ length: 4 }, () => random.below(256));
  }

  async run(input: Uint8Array): Promise<string> {
    const seed = input.reduce((sum, byte) => sum * 256 + byte, 0);
    // Everything it is asked for is within reach.
    const host = new FakeHost({
      lookupSymbols: ({ names }) => ({ addresses: names.map(() => toExecutorAddr(0x7f00_0180_0000n)) }),
    });
    const session = await step(ExecutionSession.open(lying(host.transport, new Random(seed))));
    const stage = session ? await this.#play(session, host) : 'refused on opening';
    host.connection.close();
    // Rejections are told of at the end of a turn.
    await new Promise((resolve) => setImmediate(resolve));
    const [reason] = this.#unhandled.splice(0);
    must(reason === undefined, () => `a rejection was left unhandled: ${String(reason)}`);
    return stage;
  }

  async close(): Promise<void> {
    process.off('unhandledRejection', this.#onUnhandled);
  }

  /** A look, definitions, a callback, a call, a lookup, another runner. */
  async #play(session: ExecutionSession, host: FakeHost): Promise<string> {
    const unit = unitOf(this.#object);
    session.define(unit);
    const stub = session.stubs.createStub(session.mainDylib.ref('f'));
    const steps: (() => Promise<unknown>)[] = [
      async () => (this.#isPlanted ? brokenStatus(session) : session.executor.status()),
      async () => {
        await session.stubs.ensureEmitted([stub]);
        await host.reenter(session.stubs.trampolineAddress(stub));
      },
      () => callLoop(session, unit),
      () => session.findSymbol('sin'),
      async () => {
        host.loseRunner({ kind: 'fault', message: 'gone \u001b[2J' });
        await callLoop(session, unit);
      },
      () => session.flush(),
      // A host may also ask for what it was never told of, which is the end of the session.
      async () => {
        const beside = session.stubs.trampolineAddress(stub) + 1n;
        await step(host.reenter(toExecutorAddr(beside)));
      },
      () => session.close(),
    ];
    let failures = 0;
    for (const perform of steps) if ((await step(perform().then(() => true))) === undefined) failures++;
    return failures > 0 ? 'some steps failed' : 'all steps went well';
  }
}

function callLoop(session: ExecutionSession, unit: MaterializationUnit): Promise<Uint8Array> {
  return session.call('loop', async (runner) => ({
    entry: await session.link(unit, 'loop', runner),
    block: new Uint8Array(8),
  }));
}

/** Undefined when it ended with an error of ours. */
async function step<T>(work: Promise<T>): Promise<T | undefined> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_resolve, reject) => {
    timer = setTimeout(() => reject(new Violation(`a step takes more than ${STEP_MS} ms`)), STEP_MS);
  });
  try {
    return await Promise.race([work, late]);
  } catch (error) {
    if (!(error instanceof FarJITError)) throw error;
    mustBePrintable(error.message);
    return undefined;
  } finally {
    clearTimeout(timer);
  }
}

/** Changes values in a few of the frames that arrive, and leaves the order of frames as it is. */
function lying(transport: Transport, random: Random): Transport {
  const truths = random.pick([8, 16, 32, 64]);
  const change = (message: Uint8Array): Uint8Array => {
    if (!random.oneIn(truths)) return message;
    const frame = decodeFrame(message);
    const body = mutateValue(frame.body, random);
    const lie = random.oneIn(8)
      ? { ...frame, body, generation: random.below(4), id: frame.id + random.below(2) }
      : { ...frame, body };
    try {
      return encodeFrame(lie);
    } catch {
      // More than 64 bits.
      return message;
    }
  };
  return {
    send: (message) => transport.send(message),
    close: (code, reason) => transport.close(code, reason),
    start: ({ onMessage, onClose }) =>
      transport.start({ onMessage: (message) => onMessage(change(message)), onClose }),
    get bufferedBytes() {
      return transport.bufferedBytes;
    },
  };
}

function unitOf(object: Uint8Array): MaterializationUnit {
  const functions = ['f', 'loop'];
  const source = {
    kind: 'function' as const,
    materialize: async (responsibility: MaterializationResponsibility) => {
      responsibility.materializing();
      const part = new ObjectPart(responsibility.unit, () => buildLinkGraph(object, 'f'));
      const parts = new Map([...functions, 'g'].map((name) => [name, part]));
      responsibility.emit(parts, { compiler: 'llvm', objectBytes: object.byteLength, timings: NO_TIMINGS });
    },
  };
  return new MaterializationUnit('f', source, strongSymbols(functions, ['g']), [
    { callee: 'h', isCertain: true },
  ]);
}

/** The planted bug: what the host counts is taken for a number that fits. */
async function brokenStatus(session: ExecutionSession): Promise<void> {
  const { programThreads } = await session.executor.status();
  new Array(programThreads > 1000 ? -1 : 0);
}
