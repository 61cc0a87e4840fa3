import type { ExecutorAddr } from '@farjit/protocol/executor-addr';
import type { JITDylib } from '../core/jit-dylib.js';
import type { MaterializationUnit } from '../core/materialization-unit.js';
import type { Materializations } from '../core/materializations.js';
import { inLinkOrder, parseRunListName, type RunList, type RunPhase } from '../jitlink/run-lists.js';
import type { RunnerContext } from '../runner/runner-context.js';
import type { Initializers, RunFunction } from './initializers.js';

/** What finding the functions takes of a session. */
export interface RunListSession {
  readonly initializers: Initializers;
  readonly materializations: Materializations;
  readonly definitions: { dylibOf(unit: MaterializationUnit): JITDylib | undefined };
  link(unit: MaterializationUnit, name: string, runner: RunnerContext): Promise<ExecutorAddr>;
}

interface LinkedList extends RunList {
  readonly functions: readonly RunFunction[];
}

/**
 * Functions that units list for some phases, in the order of a linker: phase by phase; in each dylib by priority, then in the
 * order given. Their lists are linked, and with them the functions that nobody else can name; others are linked at their calls.
 */
export async function runFunctions(
  session: RunListSession,
  units: readonly MaterializationUnit[],
  phases: readonly RunPhase[],
  runner: RunnerContext,
): Promise<RunFunction[]> {
  // All at a time, as far as they have to be compiled.
  await Promise.all(units.map((unit) => session.materializations.allPartsOf(unit)));
  const listsOf = new Map<JITDylib | undefined, LinkedList[]>();
  for (const unit of units) {
    const dylib = session.definitions.dylibOf(unit);
    const lists = await linkLists(session, unit, phases, runner);
    listsOf.set(dylib, [...(listsOf.get(dylib) ?? []), ...lists]);
  }
  const inPhase = (lists: readonly LinkedList[], phase: RunPhase) =>
    inLinkOrder(lists.filter((list) => list.phase === phase));
  return [...listsOf.values()].flatMap((lists) =>
    phases.flatMap((phase) =>
      inPhase(lists, phase).flatMap(({ functions, isReversed }) =>
        isReversed ? functions.toReversed() : functions,
      ),
    ),
  );
}

async function linkLists(
  session: RunListSession,
  unit: MaterializationUnit,
  phases: readonly RunPhase[],
  runner: RunnerContext,
): Promise<LinkedList[]> {
  const parts = (await session.materializations.allPartsOf(unit)) ?? new Map();
  const lists: LinkedList[] = [];
  for (const [name, part] of parts) {
    const list = parseRunListName(name);
    if (!list || !phases.includes(list.phase) || isAnothers(session, unit, list)) continue;
    await session.link(unit, name, runner);
    const linked = runner.linked.get(part);
    if (linked) lists.push({ ...list, functions: session.initializers.functionsOf(linked, name) });
  }
  return lists.toSorted((a, b) => a.index - b.index);
}

/** Whether another unit runs what a list of a COMDAT group is for. */
function isAnothers(session: RunListSession, unit: MaterializationUnit, { group }: RunList): boolean {
  const winner = group === undefined ? undefined : session.definitions.dylibOf(unit)?.find(group);
  return winner !== undefined && winner !== unit;
}
