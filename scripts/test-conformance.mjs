// npm run test:conformance [-- OPTIONS]: set-up, build, what the suites need, then programs natively and by FarJIT.
import { build } from './lib/build.mjs';
import { fetchSources } from './lib/conformance-sources.mjs';
import { BIN, ROOT } from './lib/paths.mjs';
import { run, runInForeground } from './lib/processes.mjs';
import { runScript, say } from './lib/report.mjs';
import { setUp } from './lib/set-up.mjs';

const DOCUMENT = `${ROOT}docs/conformance.md`;

await runScript(async () => {
  const given = process.argv.slice(2);
  await setUp('tests');
  await build();
  const options = { suites: suitesIn(given), withPeers: !given.includes('--no-peers') };
  const args = given.map((arg) => (arg === '--write-docs' ? `--write-docs=${DOCUMENT}` : arg));
  if (!given.includes('--help')) args.push(`--sources=${await fetchSources(options)}`);
  const main = ['--enable-source-maps', `${ROOT}test/dist/conformance/main.js`, ...args];
  const code = await runInForeground(process.execPath, main);
  if (given.includes('--write-docs') && code !== 2) {
    // As the checks want it.
    await run(`${BIN}biome`, ['format', '--write', DOCUMENT], { cwd: ROOT });
    say(`conformance: wrote ${DOCUMENT}`);
  }
  return code;
});

/** What `--suite` names; undefined for all. */
function suitesIn(args) {
  const at = args.findIndex((arg) => /^--suite(=|$)/.test(arg));
  if (at < 0) return undefined;
  return (args[at].split('=')[1] ?? args[at + 1] ?? '').split(',');
}
