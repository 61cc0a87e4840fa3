import { existsSync, mkdirSync, readdirSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { aptInstall, aptPrefix, hasCandidate, listsAreRecent, updateLists } from './apt.mjs';
import { ask, onPath, run } from './processes.mjs';
import { ScriptError, say, step } from './report.mjs';

/** Outside of the repository; what is there is not fetched again. */
const FOLDER = join(process.env.XDG_CACHE_HOME || join(homedir(), '.cache'), 'farjit-conformance');

/** What suites compare with, or are made with, from Debian. */
const PACKAGES = [
  { suite: 'csmith', aptPackage: 'csmith', isThere: () => onPath('csmith') },
  { suite: 'csmith', aptPackage: 'libcsmith-dev', isThere: () => existsSync('/usr/include/csmith/csmith.h') },
  { suite: 'peers', aptPackage: 'llvm-22', isThere: () => existsSync('/usr/lib/llvm-22/bin/lli') },
  { suite: 'torture', aptPackage: 'gcc-12-source', isThere: () => findGccArchive() !== undefined },
];

/** Sources of Debian, by source package: what is unpacked is in a folder of this name. */
const DEBIAN_SOURCES = [
  { name: 'lua', source: 'lua5.4' },
  { name: 'zlib', source: 'zlib' },
  { name: 'bzip2', source: 'bzip2' },
];

const SQLITE = 'sqlite3@6.0.1';
const TORTURE = 'gcc/testsuite/gcc.c-torture/execute';

/**
 * Installs and fetches what suites need. What cannot be had is said; its suite is left out.
 * @param {{ suites?: readonly string[], withPeers: boolean }} options all suites unless given
 * @returns {Promise<string>} the folder that has, if they could be had: `torture`, `csmith`, `sqlite`, `lua`, `zlib` and `bzip2`.
 */
export async function fetchSources({ suites, withPeers }) {
  const isWanted = (suite) => (suite === 'peers' ? withPeers : (suites?.includes(suite) ?? true));
  mkdirSync(FOLDER, { recursive: true });
  await installPackages(PACKAGES.filter(({ suite }) => isWanted(suite)));
  if (isWanted('torture')) await fetched('torture', unpackTorture);
  if (isWanted('applications')) {
    await fetched('sqlite', fetchSqlite);
    const missing = DEBIAN_SOURCES.filter(({ name }) => !existsSync(join(FOLDER, name)));
    if (missing.length > 0) await fetchFromDebian(missing);
  }
  return FOLDER;
}

async function installPackages(packages) {
  const missing = packages.filter(({ isThere }) => !isThere()).map(({ aptPackage }) => aptPackage);
  if (missing.length === 0) return;
  const apt = aptPrefix();
  if (!apt) return say(`${missing.join(', ')} not installed, and apt cannot be used`);
  if (!missing.every(hasCandidate) && !listsAreRecent()) await updateLists(apt);
  try {
    const available = missing.filter(hasCandidate);
    if (available.length > 0) await aptInstall(apt, available);
  } catch (error) {
    if (!(error instanceof ScriptError)) throw error;
    say(`${missing.join(', ')} could not be installed: ${error.message}`);
  }
}

/** Has a folder of the cache made once; a failure is told and not thrown. */
async function fetched(name, make) {
  const folder = join(FOLDER, name);
  if (existsSync(folder)) return;
  const unfinished = `${folder}.new`;
  rmSync(unfinished, { recursive: true, force: true });
  mkdirSync(unfinished);
  try {
    await step(`${name}: fetching`, () => make(unfinished));
    renameSync(unfinished, folder);
  } catch (error) {
    if (!(error instanceof ScriptError)) throw error;
    say(`${name} could not be had: ${error.message}`);
  }
}

async function unpackTorture(folder) {
  const archive = findGccArchive();
  if (archive === undefined) throw new ScriptError('there is no gcc-12-source');
  const [top] = (
    ask('tar', ['--list', '--file', archive, '--occurrence=1', '--wildcards', `*/${TORTURE}/`]) ?? ''
  ).split('\n');
  if (!top) throw new ScriptError(`${archive} has no ${TORTURE}`);
  const depth = top.split('/').filter(Boolean).length;
  await run('tar', [
    '--extract',
    '--file',
    archive,
    '--directory',
    folder,
    `--strip-components=${depth}`,
    top,
  ]);
}

/** The npm package has the sources as sqlite publishes them. */
async function fetchSqlite(folder) {
  await run('npm', ['pack', SQLITE, '--silent'], { cwd: folder });
  const tarball = readdirSync(folder).find((name) => name.endsWith('.tgz'));
  await run('tar', ['--extract', '--file', tarball, 'package/deps'], { cwd: folder });
  const inner = readdirSync(join(folder, 'package/deps')).find((name) =>
    /^sqlite-autoconf-.*\.tar\.gz$/.test(name),
  );
  await run('tar', ['--extract', '--file', `package/deps/${inner}`, '--strip-components=1'], { cwd: folder });
}

/** Where this machine has Debian's packages from, there for sources: lines of a `sources.list`. */
function sourceLines() {
  const format =
    'deb-src [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] $(REPO_URI) $(RELEASE) $(COMPONENT)';
  const args = ['indextargets', '--format', format, 'Created-By: Packages', 'Origin: Debian'];
  return [...new Set((ask('apt-get', args) ?? '').split('\n'))].filter((line) => line !== '');
}

/** Asks Debian for sources alone, whatever this machine's lists have. */
async function fetchFromDebian(sources) {
  const lists = join(FOLDER, 'apt');
  mkdirSync(join(lists, 'lists/partial'), { recursive: true });
  writeFileSync(
    join(lists, 'sources.list'),
    sourceLines()
      .map((line) => `${line}\n`)
      .join(''),
  );
  const options = [
    `Dir::Etc::sourcelist=${lists}/sources.list`,
    'Dir::Etc::sourceparts=/dev/null',
    `Dir::State::lists=${lists}/lists`,
    'Dir::Cache::pkgcache=',
    'Dir::Cache::srcpkgcache=',
  ].flatMap((option) => ['-o', option]);
  const words = sources.map(({ name }) => name).join(', ');
  try {
    await step(`apt: lists of sources`, () => run('apt-get', [...options, 'update']));
  } catch (error) {
    if (!(error instanceof ScriptError)) throw error;
    return say(`${words} could not be had: ${error.message}`);
  }
  for (const { name, source } of sources)
    await fetched(name, async (folder) => {
      await run('apt-get', [...options, 'source', '--download-only', source], { cwd: folder });
      const tarball = readdirSync(folder).find((file) => /\.orig\.tar\./.test(file));
      await run('tar', ['--extract', '--file', tarball, '--strip-components=1'], { cwd: folder });
    });
}

function findGccArchive() {
  const folder = '/usr/src/gcc-12';
  const name = existsSync(folder) && readdirSync(folder).find((file) => /^gcc-12.*\.tar\.xz$/.test(file));
  return name ? join(folder, name) : undefined;
}
