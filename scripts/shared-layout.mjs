// node scripts/shared-layout.mjs [--check]: writes the shared layout's C and TypeScript from
// packages/executor/shared-layout.mjs; with --check only says whether they are up to date, which each build asks, too.
import { runScript, say } from './lib/report.mjs';
import { checkSharedLayout, writeSharedLayout } from './lib/write-shared-layout.mjs';

await runScript(() => {
  if (process.argv.includes('--check')) return checkSharedLayout();
  for (const path of writeSharedLayout()) say(`wrote ${path}`);
});
