// npm run demo: from a fresh clone to programs in Kaleidoscope and in C that run in another process.
import { buildCommand } from './lib/build.mjs';
import { ROOT } from './lib/paths.mjs';
import { runInForeground } from './lib/processes.mjs';
import { runScript, say } from './lib/report.mjs';
import { setUp } from './lib/set-up.mjs';
import { hasClang } from './lib/system-packages.mjs';

await runScript(async () => {
  await setUp('command');
  await buildCommand();
  const kaleidoscope = await farjit(['run', 'examples/mandelbrot.ks', '--no-cache', '--stats']);
  if (kaleidoscope !== 0) return kaleidoscope;
  if (hasClang()) return farjit(['run', 'examples/programs/hello.c', '--', 'reader']);
  say(
    'examples/programs/hello.c is in C, and needs clang: sudo apt-get install --no-install-recommends clang',
  );
});

/** Runs the command and says how it is typed. */
function farjit(args) {
  say(`\n$ farjit ${args.join(' ')}`);
  return runInForeground(`${ROOT}packages/compiler/dist/launcher/farjit`, args, { cwd: ROOT });
}
