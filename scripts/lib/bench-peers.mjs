import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import { aptInstall, aptPrefix, hasCandidate, listsAreRecent, updateLists } from './apt.mjs';
import { ask, onPath, run } from './processes.mjs';
import { ScriptError, say, step } from './report.mjs';

/** The LLVM that the bench compares with: the newest that Debian 12 has. */
const LLVM = '/usr/lib/llvm-22';
const PEERS = [
  { name: 'lli-22', aptPackage: 'llvm-22', files: ['lli-22', `${LLVM}/bin/lli`] },
  { name: 'llvm-jitlink-22', aptPackage: 'llvm-22', files: ['llvm-jitlink-22', `${LLVM}/bin/llvm-jitlink`] },
  { name: 'llvm-jitlink-executor-22', aptPackage: 'llvm-22', files: [`${LLVM}/bin/llvm-jitlink-executor`] },
  // What llvm-jitlink loads into its executor to link lazily.
  {
    name: 'orc-rt-22',
    aptPackage: 'libclang-rt-22-dev',
    files: [
      `${LLVM}/lib/clang/22/lib/linux/liborc_rt-x86_64.a`,
      `${LLVM}/lib/clang/22/lib/x86_64-pc-linux-gnu/liborc_rt.a`,
    ],
  },
  { name: 'clang-22', aptPackage: 'clang-22', files: ['clang-22', `${LLVM}/bin/clang`] },
];

/** The tutorial's programs, in the documentation of LLVM 14. */
const TOYS_PACKAGE = 'llvm-14-examples';
const TOYS_FOLDER = '/usr/share/doc/llvm-14-examples/examples/Kaleidoscope';
const TOY = {
  name: 'toy-chapter-4',
  sources: ['BuildingAJIT/Chapter4/toy.cpp', 'BuildingAJIT/Chapter4/KaleidoscopeJIT.h'],
};

/**
 * What the bench compares with, installed and built when it is missing. What cannot be had is left out, and said: its
 * column stays empty.
 * @returns {Promise<Map<string, string>>} paths by name.
 */
export async function installPeers() {
  await installPeerPackages(aptPrefix());
  const peers = new Map();
  for (const peer of PEERS) {
    const path = findPeer(peer);
    if (path !== undefined) peers.set(peer.name, path);
    else say(`${peer.name} is not there and is left out; on Debian 12 it is in ${peer.aptPackage}`);
  }
  const toy = await buildToy(TOY);
  if (toy !== undefined) peers.set(TOY.name, toy);
  return peers;
}

async function installPeerPackages(apt) {
  const missing = PEERS.filter((peer) => findPeer(peer) === undefined).map(({ aptPackage }) => aptPackage);
  if (!existsSync(TOYS_FOLDER)) missing.push(TOYS_PACKAGE);
  const wanted = [...new Set(missing)];
  if (wanted.length === 0) return;
  if (!apt) return say(`${wanted.join(', ')} not installed, and apt cannot be used`);
  if (!wanted.every(hasCandidate) && !listsAreRecent()) await updateLists(apt);
  try {
    const available = wanted.filter(hasCandidate);
    if (available.length > 0) await aptInstall(apt, available);
  } catch (error) {
    if (!(error instanceof ScriptError)) throw error;
    say(`peers could not be installed: ${error.message}`);
  }
  // Images for containers often keep documentation out.
  if (!existsSync(TOYS_FOLDER)) say(`the tutorial's toy is left out: there is no ${TOYS_FOLDER}`);
}

function findPeer({ files }) {
  return files.find((file) => (file.includes('/') ? existsSync(file) : onPath(file)));
}

/**
 * Compiles the tutorial's program, outside the repository and once.
 * @returns {Promise<string | undefined>} undefined, and words on stderr, when it cannot be built.
 */
async function buildToy({ name, sources }) {
  const config = onPath('llvm-config-14') ? 'llvm-config-14' : '/usr/lib/llvm-14/bin/llvm-config';
  const flags = ask(config, ['--cxxflags', '--ldflags', '--libs'])?.split(/\s+/);
  const contents = sources.map(readSource);
  if (!flags || contents.includes(undefined)) return undefined;
  const hash = createHash('sha256')
    .update(JSON.stringify([contents, flags]))
    .digest('hex')
    .slice(0, 16);
  const folder = join(
    process.env.XDG_CACHE_HOME || join(homedir(), '.cache'),
    'farjit-bench',
    `${name}-${hash}`,
  );
  const program = join(folder, name);
  if (existsSync(program)) return program;
  // As in the examples: the programs ask for their header here or in a folder beside.
  for (const part of ['toy', 'include']) mkdirSync(join(folder, part), { recursive: true });
  writeFileSync(join(folder, 'toy/toy.cpp'), contents[0]);
  writeFileSync(join(folder, 'include/KaleidoscopeJIT.h'), contents[1]);
  const args = ['-O2', '-w', '-I../include', 'toy.cpp', ...flags, '-rdynamic', '-o', `${program}.new`];
  try {
    await step(`${name}: building`, () => run('c++', args, { cwd: join(folder, 'toy') }));
  } catch (error) {
    if (!(error instanceof ScriptError)) throw error;
    return say(`${name} is left out, it could not be built: ${error.advice.slice(0, 3).join('\n  ')}`);
  }
  renameSync(`${program}.new`, program);
  return program;
}

/** Debian compresses what is large. */
function readSource(source) {
  const path = join(TOYS_FOLDER, source);
  if (existsSync(path)) return readFileSync(path, 'utf8');
  return existsSync(`${path}.gz`) ? gunzipSync(readFileSync(`${path}.gz`)).toString('utf8') : undefined;
}
