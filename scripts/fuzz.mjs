// npm run fuzz [-- OPTIONS]: set-up, build, then random inputs for what reads hostile ones (test/fuzz).
import { build } from './lib/build.mjs';
import { BIN, ROOT } from './lib/paths.mjs';
import { run, runInForeground } from './lib/processes.mjs';
import { runScript, say } from './lib/report.mjs';
import { setUp } from './lib/set-up.mjs';

const DOCUMENT = `${ROOT}docs/fuzzing.md`;

await runScript(async () => {
  const given = process.argv.slice(2);
  await setUp('tests');
  await build();
  const args = given.map((arg) => (arg === '--write-docs' ? `--write-docs=${DOCUMENT}` : arg));
  const main = ['--enable-source-maps', `${ROOT}test/dist/fuzz/main.js`, ...args];
  const code = await runInForeground(process.execPath, main);
  if (given.includes('--write-docs')) {
    // As the checks want it.
    await run(`${BIN}biome`, ['format', '--write', DOCUMENT], { cwd: ROOT });
    say(`fuzz: wrote ${DOCUMENT}`);
  }
  return code;
});
