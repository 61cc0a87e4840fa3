// npm run bench [-- OPTIONS]: set-up, build, the peers, then all measurements (bench/). Tables on stdout.
import { readFileSync, writeFileSync } from 'node:fs';
import { installPeers } from './lib/bench-peers.mjs';
import { build } from './lib/build.mjs';
import { BIN, ROOT } from './lib/paths.mjs';
import { run, runInForeground } from './lib/processes.mjs';
import { runScript, say } from './lib/report.mjs';
import { setUp } from './lib/set-up.mjs';

const DOCS = `${ROOT}docs`;

const USAGE = `npm run bench [-- OPTIONS]
npm run bench:smoke [-- OPTIONS]

Measures FarJIT beside LLVM 22's lli, llvm-jitlink and clang and the tutorial's toy, and prints the figures to reach
with what was reached. Installs the peers when apt can be used; without one its columns stay empty. Ten minutes at
most; the smoke run, with smaller programs and fewer turns, one.

  --only ID,ID,...    some benchmarks only; a wrong ID lists them
  --runs N            turns that count, where the time suffices (default 9; smoke run 3)
  --no-peers          measures FarJIT alone
  --json FILE         writes every sample
  --check FILE        compares with what --json of a former run on the same machine has written, names what got worse,
                      and ends with exit code 1 if anything did
  --write-docs        writes docs/performance.md, docs/plots/ and the figures in README
  --help              says this

A target that is missed is said, and the exit code is 0. A wrong result, or a FILE that cannot be compared with, ends the
bench with exit code 1.
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
    .map((arg) => (arg === '--write-docs' ? `--write-docs=${DOCS}` : arg));
  if (given.includes('--no-peers')) say('bench: --no-peers, so FarJIT is measured alone');
  else for (const [name, path] of await installPeers()) args.push(`--peer=${name}=${path}`);
  const code = await runInForeground(process.execPath, [`${ROOT}bench/dist/main.js`, ...args]);
  if (code === 0 && given.includes('--write-docs')) {
    // As the checks want it.
    await run(`${BIN}biome`, ['format', '--write', `${DOCS}/performance.md`], { cwd: ROOT });
    const { withFigures } = await import(`${ROOT}bench/dist/readme-figures.js`);
    const readme = readFileSync(`${ROOT}README.md`, 'utf8');
    writeFileSync(`${ROOT}README.md`, withFigures(readme, readFileSync(`${DOCS}/performance.md`, 'utf8')));
    say('bench: wrote docs/performance.md, docs/plots and the figures in README');
  }
  return code;
});
