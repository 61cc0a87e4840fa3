import { existsSync, readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { ROOT } from './paths.mjs';

/** Output folder of each TypeScript tree, and where its sources are. */
const TREES = [
  ...['protocol', 'compiler', 'executor'].flatMap((name) =>
    ['src', 'test'].map((part) => ({
      output: `${ROOT}packages/${name}/dist/${part}`,
      source: `${ROOT}packages/${name}/${part}`,
    })),
  ),
  { output: `${ROOT}test/dist`, source: `${ROOT}test` },
  { output: `${ROOT}bench/dist`, source: `${ROOT}bench` },
];

/** Deletes compiled files whose source is gone: `tsc` leaves them, and ava would go on running them. */
export function removeStaleOutput() {
  for (const { output, source } of TREES) {
    if (!existsSync(output)) continue;
    for (const name of readdirSync(output, { recursive: true })) {
      const stem = /^(.*?)(?:\.d\.ts|\.js|\.js\.map)$/.exec(name)?.[1];
      if (stem !== undefined && !existsSync(join(source, `${stem}.ts`))) rmSync(join(output, name));
    }
  }
}
