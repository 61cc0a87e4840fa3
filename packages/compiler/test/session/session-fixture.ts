import type { indirection, ResultOf } from '@farjit/protocol';
import { addrAdd, type ExecutorAddr, NULL_ADDR } from '@farjit/protocol/executor-addr';
import type { ExecutionContext } from 'ava';
import type { MaterializationUnit, ObjectPart } from '../../src/core/materialization-unit.js';
import type { Linked } from '../../src/runner/linked.js';
import { ExecutionSession } from '../../src/session/execution-session.js';
import { type Answers, FakeHost } from '../executor-client/fake-host.js';

/** A session with a scripted host at its other end. */
export interface Scripted {
  readonly host: FakeHost;
  readonly session: ExecutionSession;
  /** A thread calls `name` through its stub: what the callback answers, or where the stub's pointer led. */
  enter(name: string): Promise<ResultOf<typeof indirection.reenter> | { outcome: 'direct'; landing: bigint }>;
  /** A call whose callee is linked first, as top-level expressions are. */
  call(unit: MaterializationUnit, name: string): Promise<void>;
  /** Where a part is in the current runner, and what it holds there. */
  linkedOf(part: ObjectPart | undefined): Promise<Linked | undefined>;
  /** Code memory that is not free. */
  codeBytes(): Promise<number>;
}

export async function openScripted(t: ExecutionContext, answers: Partial<Answers> = {}): Promise<Scripted> {
  const host = new FakeHost(answers);
  const session = await ExecutionSession.open(host.transport, { mayReplace: () => true });
  t.teardown(() => session.close());
  return {
    host,
    session,
    enter: async (name) => {
      const stub = session.stubs.createStub(session.mainDylib.ref(name));
      await session.stubs.ensureEmitted([stub]);
      const trampoline = session.stubs.trampolineAddress(stub);
      const target = host.pointers.get(session.stubs.pointerAddress(stub));
      if (target === trampoline) return host.reenter(trampoline);
      return { outcome: 'direct', landing: target ?? 0n };
    },
    call: async (unit, name) => {
      await session.call(name, async (runner) => ({
        entry: await session.link(unit, name, runner),
        block: new Uint8Array(8),
      }));
    },
    linkedOf: async (part) => part && (await session.runner()).linked.get(part),
    codeBytes: async () => (await session.runner()).allocatedBytes('code'),
  };
}

/** The part that a name of the main dylib leads to, once it has been made. */
export function partNamed(session: ExecutionSession, name: string): ObjectPart | undefined {
  const unit = session.mainDylib.find(name);
  return unit && session.materializations.knownPart(unit, name);
}

/** Answers lookups from a table. */
export function addressesFor(names: Readonly<Record<string, bigint>>) {
  return ({ names: asked }: { names: string[] }): { addresses: ExecutorAddr[] } => ({
    addresses: asked.map((name) => addrAdd(NULL_ADDR, names[name] ?? 0n)),
  });
}
