// npm run bench [-- OPTIONS]: set-up, build, the peers, then all measurements (bench/). Tables on stdout.
import { installPeers } from './lib/bench-peers.mjs';
import { build } from './lib/build.mjs';
import { BIN, ROOT } from './lib/paths.mjs';
import { run, runInForeground } from './lib/processes.mjs';
import { runScript, say } from './lib/report.mjs';
import { setUp } from './lib/set-up.mjs';

const DOCUMENT = `${ROOT}docs/performance.md`;

const USAGE = `npm run bench [-- OPTIONS]

Measures FarJIT and prints tables: a chain of functions beside LLVM 22's lli and the tutorial's toys, where the time
of a compile callback goes, and compiled code at work. Installs the peers when apt can be used.

  --no-peers          measures FarJIT alone
  --runs N            rounds that count, after one that does not (default 5)
  --sizes N,N,...     lengths of the chains (default 1,10,50,200,1000)
  --json FILE         writes every sample
  --write-docs        writes docs/performance.md
  --help              says this
`;

await runScript(async () => {
  const given = process.argv.slice(2);
  if (given.includes('--help')) {
    process.stdout.write(USAGE);
    return 0;
  }
  await setUp();
  await build();
  const args = given
    .filter((arg) => arg !== '--no-peers')
    .map((arg) => (arg === '--write-docs' ? `--write-docs=${DOCUMENT}` : arg));
  if (given.includes('--no-peers')) say('bench: --no-peers, so FarJIT is measured alone');
  else for (const [name, path] of await installPeers()) args.push(`--peer=${name}=${path}`);
  const code = await runInForeground(process.execPath, [`${ROOT}bench/dist/main.js`, ...args]);
  if (code === 0 && given.includes('--write-docs')) {
    // As the checks want it.
    await run(`${BIN}biome`, ['format', '--write', DOCUMENT], { cwd: ROOT });
    say(`bench: wrote ${DOCUMENT}`);
  }
  return code;
});
