import { existsSync } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';
import { descriptorTargets, residentKiB } from '../../proc.js';
import type { Random } from '../random.js';
import { attack, MEMORY_LIMIT_BYTES, type Outcome } from '../runner/attack.js';
import { generateProgram } from '../runner/generate.js';
import { FuzzedHost } from '../runner/host.js';
import type { SourceMutation } from '../runner/mutate-sources.js';
import { MAX_LATENCY_MS, Neighbour } from '../runner/neighbour.js';
import { buildPayload } from '../runner/payload.js';
import { OPERATION_BYTES, type Program, readProgram } from '../runner/program.js';
import { RawSession } from '../runner/raw-session.js';
import { type FuzzTarget, must, type TargetFactory, Violation } from '../target.js';

/** When a session is closed, what it had is given back within this, on a busy machine. */
const GIVE_BACK_MS = 5000;
/** A host that holds so much more than at its beginning keeps what runners make. */
const MAX_GROWN_HEAP_BYTES = 16 * 1024 ** 2;
const MAX_GROWN_RESIDENT_KIB = 192 * 1024;
/** Garbage is collected, and counted what is none, after so many inputs. */
const COLLECT_INTERVAL = 50;
/** Descriptors are as many as they will be when they have been as many in so many looks. */
const SETTLED_LOOKS = 15;
const LOOK_MS = 5;
const BASELINE_ROUNDS = 10;
/** Below so many bells their number by round of the event loop says nothing. */
const MANY_BELLS = 50_000;
/** Bells of one runner that the host hears before it looks at other sessions. */
const MAX_BELLS_PER_TURN = 600;

/** What a host holds that has nothing to do but serve the neighbour. */
interface Baseline {
  readonly descriptors: string;
  readonly users: number;
  readonly heapBytes: number;
  readonly residentKiB: number;
}

/**
 * A real runner that native code drives against its host, with a neighbour in another session of the same host. The host
 * lives, the neighbour is served, the session ends with an error that says why or goes on, and nothing of it is left.
 */
export const hostileRunner: TargetFactory = {
  name: 'runner',
  longInputs: 5000,
  shortInputs: 25,
  create: async () => new RunnerTarget(await buildPayload()),
};

export class RunnerTarget implements FuzzTarget {
  readonly name = 'runner';
  readonly stages = ['nothing done', 'goes on', 'ended itself', 'ended by the host'];
  readonly pieceBytes = OPERATION_BYTES;
  /** A host that fails is started again, which takes a second. */
  readonly minimizeRuns = 300;
  readonly #payload: string;
  readonly #mutations: readonly SourceMutation[];
  #host: FuzzedHost | undefined;
  #neighbour: Neighbour | undefined;
  #baseline: Baseline | undefined;
  #inputs = 0;

  /** @param mutations faults that are put back into the host. */
  constructor(payload: string, mutations: readonly SourceMutation[] = []) {
    this.#payload = payload;
    this.#mutations = mutations;
  }

  generate(random: Random): Uint8Array {
    return generateProgram(random);
  }

  async run(input: Uint8Array): Promise<string> {
    const program = readProgram(input);
    if (program.operations.byteLength === 0) return 'nothing done';
    const { host, neighbour, baseline } = await this.#started();
    try {
      return await this.#attack(program, host, neighbour, baseline);
    } catch (error) {
      const end = error instanceof Violation ? host.end : await host.endSoon();
      // Whatever is wrong with it, the next input gets another.
      await this.close();
      if (end !== undefined)
        throw new Violation(`the host ends with ${end}\n${host.words}`, { cause: error });
      if (error instanceof Violation) throw error;
      throw new Violation(`the host does not keep to the protocol: ${(error as Error).message}`, {
        cause: error,
      });
    }
  }

  async close(): Promise<void> {
    await this.#neighbour?.close();
    await this.#host?.close();
    this.#neighbour = undefined;
    this.#host = undefined;
  }

  async #attack(
    program: Program,
    host: FuzzedHost,
    neighbour: Neighbour,
    baseline: Baseline,
  ): Promise<string> {
    neighbour.takeLongestMs();
    const before = await host.figures(false);
    const hostile = await RawSession.open(host.url);
    let outcome: Outcome;
    try {
      outcome = await attack(hostile, program);
      await neighbour.isServed();
    } finally {
      hostile.close();
    }
    const after = await host.figures(++this.#inputs % COLLECT_INTERVAL === 0);
    const longestMs = neighbour.takeLongestMs();
    must(longestMs <= MAX_LATENCY_MS, () => `a call of the neighbour takes ${longestMs} ms`);
    const turns = after.turns - before.turns;
    if (outcome.bells > MANY_BELLS && turns > 0)
      must(
        outcome.bells / turns <= MAX_BELLS_PER_TURN,
        () => `the host hears ${outcome.bells} bells of one runner in ${turns} turns`,
      );
    await isGivenBack(host, baseline, hostile.runnerProcessId);
    if (this.#inputs % COLLECT_INTERVAL === 0) {
      const grown = after.heapBytes - baseline.heapBytes;
      must(grown <= MAX_GROWN_HEAP_BYTES, () => `the host keeps ${grown} bytes`);
    }
    return stageOf(outcome);
  }

  async #started() {
    if (!this.#host || !this.#neighbour || !this.#baseline) {
      this.#host = await FuzzedHost.start(
        [
          ...['--preload', this.#payload, '--pool', '1', '--session-ttl', '0'],
          ...['--limit', `memory=${MEMORY_LIMIT_BYTES}`, '--limit', 'output=1M', '--limit', 'stack=512K'],
        ],
        this.#mutations,
      );
      this.#neighbour = await Neighbour.open(this.#host.url);
      this.#baseline = await baselineOf(this.#host);
    }
    return { host: this.#host, neighbour: this.#neighbour, baseline: this.#baseline };
  }
}

function stageOf({ end }: Outcome): string {
  if (!end) return 'goes on';
  return end.kind === 'trap' || end.kind === 'exit' || end.kind === 'signal'
    ? 'ended itself'
    : 'ended by the host';
}

/** What is left when sessions that do nothing have come and gone, twice the same. */
async function baselineOf(host: FuzzedHost): Promise<Baseline> {
  let descriptors = '';
  for (let round = 0; round < BASELINE_ROUNDS; round++) {
    (await RawSession.open(host.url)).close();
    const before = descriptors;
    descriptors = await settledDescriptors(host);
    if (descriptors !== before) continue;
    const { heapBytes, users } = await host.figures(true);
    return { descriptors, users, heapBytes, residentKiB: residentKiB(host.processId) };
  }
  throw new Violation(`sessions that do nothing leave more and more descriptors: ${descriptors}`);
}

/** What descriptors lead to, and how many of each kind. Files of /proc, of which some are open for a look only, by tens. */
function descriptorsOf({ processId }: FuzzedHost): string {
  const counts = new Map<string, number>();
  for (const target of descriptorTargets(processId)) {
    const isLooked = target.startsWith('/proc/');
    const kind = isLooked ? 'tens of /proc' : target.replaceAll(/\d+/g, '#');
    counts.set(kind, (counts.get(kind) ?? 0) + (isLooked ? 0.1 : 1));
  }
  for (const [kind, count] of counts) counts.set(kind, Math.ceil(count));
  return [...counts]
    .map(([kind, count]) => `${count} ${kind}`)
    .sort()
    .join(', ');
}

async function settledDescriptors(host: FuzzedHost): Promise<string> {
  let descriptors = '';
  for (let same = 0; same < SETTLED_LOOKS; ) {
    await delay(LOOK_MS);
    const now = descriptorsOf(host);
    same = now === descriptors ? same + 1 : 0;
    descriptors = now;
  }
  return descriptors;
}

/** @throws {Violation} when anything of a session is left in its host. */
async function isGivenBack(host: FuzzedHost, baseline: Baseline, runner: number): Promise<void> {
  const endMs = performance.now() + GIVE_BACK_MS;
  for (;;) {
    const isThere = existsSync(`/proc/${runner}`);
    const descriptors = descriptorsOf(host);
    const { users } = await host.figures(false);
    const grownKiB = residentKiB(host.processId) - baseline.residentKiB;
    const isBack = descriptors === baseline.descriptors && users === baseline.users;
    if (!isThere && isBack && grownKiB <= MAX_GROWN_RESIDENT_KIB) return;
    if (performance.now() > endMs) {
      must(!isThere, () => `the runner ${runner} of a closed session is still there`);
      must(
        descriptors === baseline.descriptors,
        () => `the host has the descriptors ${descriptors}, and had ${baseline.descriptors}`,
      );
      must(users === baseline.users, () => `runners have ${users} users, and had ${baseline.users}`);
      throw new Violation(`the host has grown by ${grownKiB} KiB`);
    }
    await delay(2);
  }
}
