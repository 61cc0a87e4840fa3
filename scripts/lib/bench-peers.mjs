import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import { aptInstall, aptPrefix, hasCandidate, listsAreRecent, updateLists } from './apt.mjs';
import { ask, onPath, run } from './processes.mjs';
import { ScriptError, say, step } from './report.mjs';

/** The LLVM that the bench compares with: the newest that Debian 12 has. */
const PEER_PACKAGE = 'llvm-22';
const PEER_TOOLS = ['lli-22', 'opt-22'];

/** The tutorial's programs, in the documentation of LLVM 14. */
const TOYS_PACKAGE = 'llvm-14-examples';
const TOYS_FOLDER = '/usr/share/doc/llvm-14-examples/examples/Kaleidoscope';
const TOYS = [
  {
    name: 'toy-chapter-4',
    sources: ['BuildingAJIT/Chapter4/toy.cpp', 'BuildingAJIT/Chapter4/KaleidoscopeJIT.h'],
  },
  { name: 'toy-chapter-7', sources: ['Chapter7/toy.cpp', 'include/KaleidoscopeJIT.h'] },
];

/**
 * What the bench compares with, installed and built when it is missing.
 * @returns {Promise<Map<string, string>>} paths by name: `lli-22`, `opt-22` and, where they are to be had, `lli-14`,
 *   `toy-chapter-4`, `toy-chapter-7`.
 * @throws {ScriptError} when LLVM 22's tools are missing and cannot be installed from here.
 */
export async function installPeers() {
  const apt = aptPrefix();
  await installPeerPackages(apt);
  const peers = new Map();
  for (const name of [...PEER_TOOLS, 'lli-14']) {
    const path = findTool(name);
    if (path !== undefined) peers.set(name, path);
  }
  for (const toy of TOYS) {
    const path = await buildToy(toy);
    if (path !== undefined) peers.set(toy.name, path);
  }
  return peers;
}

/** LLVM 22 must be there; without the tutorial's toys the tables have two columns less. */
async function installPeerPackages(apt) {
  const missing = PEER_TOOLS.filter((name) => findTool(name) === undefined);
  const hasToys = existsSync(TOYS_FOLDER);
  if (missing.length === 0 && hasToys) return;
  const wanted = [...(missing.length > 0 ? [PEER_PACKAGE] : []), ...(hasToys ? [] : [TOYS_PACKAGE])];
  if (missing.length > 0 && !apt)
    throw new ScriptError(`the bench compares with ${missing.join(' and ')}, which are not here`, howToGet());
  if (!apt)
    return say(`${TOYS_PACKAGE} is not there, and apt cannot be used: the tutorial's toys are left out`);
  const needsLists = missing.length > 0 || !listsAreRecent();
  if (!wanted.every(hasCandidate) && needsLists) await updateLists(apt);
  if (missing.length > 0 && !hasCandidate(PEER_PACKAGE))
    throw new ScriptError(
      `the bench compares with ${missing.join(' and ')}, and apt has no package ${PEER_PACKAGE}`,
      howToGet(),
    );
  const available = wanted.filter(hasCandidate);
  if (available.length > 0) await aptInstall(apt, available);
  const still = PEER_TOOLS.filter((name) => findTool(name) === undefined);
  if (still.length > 0)
    throw new ScriptError(
      `apt installed ${PEER_PACKAGE}, and yet these are not found: ${still.join(', ')}`,
      howToGet(),
    );
  // Images for containers often keep documentation out.
  if (!existsSync(TOYS_FOLDER)) say(`the tutorial's toys are left out: there is no ${TOYS_FOLDER}`);
}

function howToGet() {
  return [
    `On Debian 12: sudo apt-get install --no-install-recommends ${PEER_PACKAGE}`,
    'It is among the security updates: deb http://deb.debian.org/debian-security bookworm-security main',
    `Elsewhere: LLVM 22 with ${PEER_TOOLS.join(' and ')} in PATH.`,
    'Or measure FarJIT alone: npm run bench -- --no-peers',
  ];
}

function findTool(name) {
  const [tool, major] = name.split('-');
  if (onPath(name)) return name;
  const path = `/usr/lib/llvm-${major}/bin/${tool}`;
  return existsSync(path) ? path : undefined;
}

/**
 * Compiles one of the tutorial's programs, outside the repository and once.
 * @returns {Promise<string | undefined>} undefined, and words on stderr, when it cannot be built.
 */
async function buildToy({ name, sources }) {
  const config = findTool('llvm-config-14') ?? '/usr/lib/llvm-14/bin/llvm-config';
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
