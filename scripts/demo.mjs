// npm run demo: from a fresh clone to a Kaleidoscope program running in another process.
import { build } from './lib/build.mjs';
import { ROOT } from './lib/paths.mjs';
import { runInForeground } from './lib/processes.mjs';
import { runScript } from './lib/report.mjs';
import { setUp } from './lib/set-up.mjs';

await runScript(async () => {
  await setUp();
  await build();
  const args = ['run', 'examples/mandelbrot.ks', '--no-cache', '--stats'];
  return runInForeground(`${ROOT}packages/compiler/dist/launcher/farjit`, args, { cwd: ROOT });
});
