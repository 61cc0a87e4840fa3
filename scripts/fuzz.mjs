// npm run fuzz [-- OPTIONS]: set-up, build, then random inputs for what reads hostile ones (test/fuzz).
import { build } from './lib/build.mjs';
import { ROOT } from './lib/paths.mjs';
import { runInForeground } from './lib/processes.mjs';
import { runScript } from './lib/report.mjs';
import { setUp } from './lib/set-up.mjs';

await runScript(async () => {
  await setUp({ forTests: true });
  await build();
  return runInForeground(process.execPath, [
    '--enable-source-maps',
    `${ROOT}test/dist/fuzz/main.js`,
    ...process.argv.slice(2),
  ]);
});
