import { writeFileSync } from 'node:fs';
import { documentOf } from './document.js';
import { KeptRecords } from './kept-records.js';
import { reportOf, type SuiteReport } from './suite-report.js';
import { mergeResults, readResults, writeResults } from './suite-results.js';
import { SUITES, type SuiteOptions } from './suites/index.js';

/**
 * Adds to the results in a folder what all runs on this machine have shown, and writes a document of them all. Of a suite
 * that cannot be had here, what is there stays.
 * @returns what is counted, in words.
 */
export async function writeDocs(file: string, results: string, options: SuiteOptions): Promise<string[]> {
  const remarks: string[] = [];
  for (const { name, make } of SUITES) {
    const suite = await make(options);
    if (typeof suite === 'string') continue;
    const kept = new KeptRecords(options.sources, name);
    const merged = mergeResults(readResults(results, name), suite, (program) => kept.get(program));
    remarks.push(...merged.remarks);
    if (merged.results.records.length > 0) writeResults(results, merged.results);
  }
  writeFileSync(file, documentOf(readReports(results)));
  return remarks;
}

/** What a folder of results has of all suites. */
export function readReports(results: string): SuiteReport[] {
  return SUITES.flatMap(({ name }) => {
    const known = readResults(results, name);
    return known ? [reportOf(known)] : [];
  });
}
