import { appendFileSync, mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { mergeRecords, type ProgramRecord } from './record.js';

/**
 * What the programs of one suite have shown in all runs on this machine: one line of JSON for each time that a program was
 * checked, written when it was, so that a run that is ended has not been in vain.
 */
export class KeptRecords {
  readonly #path: string;
  readonly #records = new Map<string, ProgramRecord>();

  /** @param folder of what has been fetched. */
  constructor(folder: string, suite: string) {
    this.#path = join(folder, 'records', `${suite}.jsonl`);
    const lines = readOrNothing(this.#path).split('\n');
    // Empty, unless a run was ended while it wrote.
    const isTorn = lines.pop() !== '';
    for (const line of lines) this.#merge(JSON.parse(line) as ProgramRecord);
    if (isTorn || lines.length > 2 * this.#records.size) this.#compact();
  }

  get(program: string): ProgramRecord | undefined {
    return this.#records.get(program);
  }

  add(record: ProgramRecord): void {
    this.#merge(record);
    mkdirSync(dirname(this.#path), { recursive: true });
    appendFileSync(this.#path, lineOf(record));
  }

  #merge(record: ProgramRecord): void {
    this.#records.set(record.program, mergeRecords(this.#records.get(record.program), record));
  }

  #compact(): void {
    const next = `${this.#path}.${process.pid}`;
    writeFileSync(next, [...this.#records.values()].map(lineOf).join(''));
    renameSync(next, this.#path);
  }
}

function lineOf(record: ProgramRecord): string {
  return `${JSON.stringify(record)}\n`;
}

function readOrNothing(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
    return '';
  }
}
