import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { COLUMNS } from './columns.js';
import type { Program } from './program.js';
import { mergeRecords, type ProgramRecord } from './record.js';
import type { Suite } from './run-suite.js';

/** What is known of a suite: all that a document says of it. */
export interface SuiteResults {
  readonly name: string;
  readonly about: string;
  /** How many programs it has, those included that have not been run. */
  readonly programCount: number;
  /** Programs that were not even built, by reason. */
  readonly leftOut: Readonly<Record<string, number>>;
  readonly records: readonly ProgramRecord[];
}

/**
 * What the repository has of a suite: a line of JSON for the suite, and one for each group of programs of which the same is
 * known. Undefined when it has nothing.
 */
export function readResults(folder: string, suite: string): SuiteResults | undefined {
  const text = readIfThere(pathOf(folder, suite));
  if (text === undefined) return undefined;
  const [head = '', ...groups] = text.trimEnd().split('\n');
  const suiteLine = JSON.parse(head) as Omit<SuiteResults, 'records'>;
  const records = groups.flatMap((line) => {
    const { programs, ...record } = JSON.parse(line) as Group;
    return programs.map((program) => ({ program, ...record }));
  });
  return { ...suiteLine, records };
}

/** Programs of which the same is known. */
type Group = Omit<ProgramRecord, 'program'> & { readonly programs: readonly string[] };

/** Writes them to where `readResults` finds them. */
export function writeResults(folder: string, { records, ...suite }: SuiteResults): void {
  const groups = new Map<string, string[]>();
  for (const { program, modes, ...record } of records) {
    const sorted = COLUMNS.flatMap((mode) => modes.filter((one) => one.mode === mode));
    const key = JSON.stringify({ ...record, modes: sorted });
    groups.set(key, [...(groups.get(key) ?? []), program]);
  }
  const lines = [...groups].map(([key, programs]) => ({ ...(JSON.parse(key) as object), programs }));
  mkdirSync(folder, { recursive: true });
  const content = [suite, ...lines].map((line) => `${JSON.stringify(line)}\n`);
  writeFileSync(pathOf(folder, suite.name), content.join(''));
}

/** What is known of a suite when to what was known comes what its programs have shown since. */
export interface MergedResults {
  readonly results: SuiteResults;
  /** What is counted, in words. */
  readonly remarks: readonly string[];
}

/**
 * @param former what was known; nothing, if it is undefined.
 * @param recordFor what a program has shown since; undefined when it has not been run.
 */
export function mergeResults(
  former: SuiteResults | undefined,
  suite: Suite,
  recordFor: (program: string) => ProgramRecord | undefined,
): MergedResults {
  const { name, about, programs, leftOut = {}, isPartial = false } = suite;
  const formerRecords = new Map(former?.records.map((record) => [record.program, record]));
  const records = programs.flatMap((program): ProgramRecord[] => {
    const [known, since] = [formerRecords.get(program.name), recordFor(program.name)];
    formerRecords.delete(program.name);
    const record = since ? mergeRecords(known, since) : known;
    return record ? [withReason(record, program)] : [];
  });
  const others = [...formerRecords.values()];
  if (isPartial) records.push(...others);
  const head =
    isPartial && former
      ? { about, programCount: former.programCount, leftOut: former.leftOut }
      : { about, programCount: programs.length, leftOut };
  const results = { name, ...head, records };
  const gone = isPartial ? [] : others.map(({ program }) => program);
  return { results, remarks: former ? remarksOf(former, results, gone) : [] };
}

/** With the reason that is listed now. */
function withReason({ program, leftOut, modes }: ProgramRecord, { knownDifference }: Program): ProgramRecord {
  return {
    program,
    ...(knownDifference === undefined ? {} : { knownDifference }),
    ...(leftOut === undefined ? {} : { leftOut }),
    modes,
  };
}

function remarksOf(former: SuiteResults, { name, records }: SuiteResults, gone: readonly string[]): string[] {
  const formerRecords = new Map(former.records.map((record) => [record.program, record]));
  const counts = new Map<string, { newCount: number; total: number }>();
  const silenced: string[] = [];
  for (const { program, leftOut, modes } of records) {
    const known = formerRecords.get(program);
    if (leftOut && known && known.modes.length > 0) silenced.push(`${program} (${leftOut.reason})`);
    for (const record of modes) {
      const count = counts.get(record.mode) ?? { newCount: 0, total: 0 };
      counts.set(record.mode, count);
      count.total++;
      if (!known?.modes.includes(record)) count.newCount++;
    }
  }
  const words = [...counts].flatMap(([mode, { newCount, total }]) =>
    newCount > 0 ? [`${mode} ${newCount} of ${total}`] : [],
  );
  return [
    ...(words.length > 0
      ? [`${name}: counted as runs here have shown: ${words.join(', ')}; all others as recorded before`]
      : []),
    ...(silenced.length > 0 ? [`${name}: no longer counted, left out now: ${silenced.join(', ')}`] : []),
    ...(gone.length > 0 ? [`${name}: no longer counted, not in the suite: ${gone.join(', ')}`] : []),
  ];
}

function pathOf(folder: string, suite: string): string {
  return join(folder, `${suite}.jsonl`);
}

function readIfThere(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
    return undefined;
  }
}
