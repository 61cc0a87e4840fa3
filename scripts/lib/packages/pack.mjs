import {
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, dirname, join } from 'node:path';
import { ROOT } from '../paths.mjs';
import { run } from '../processes.mjs';
import { buildPortablePrograms } from './portable-programs.mjs';
import { keepWhatIsReached } from './reached-files.mjs';
import { noticesOf, packagesInMap } from './third-party-notices.mjs';

/** Where the packages are. A package comes after those that it depends on. */
export const PACKAGES = ['linux-x64-gnu', 'protocol', 'executor', 'compiler', 'farjit'];

/** Written by hand where no package of npm is inside. */
const NOTICES = 'THIRD-PARTY-NOTICES.md';

/** What a build leaves beside the code that only the project itself has a use for. V8 makes its code cache anew. */
const LEFT_OUT = /\.(map|tsbuildinfo|code-cache)$/;
const MAP_COMMENT = /^\/\/# sourceMappingURL=.*\n?/gm;

/**
 * Makes the tarballs of all packages, as they are built now.
 * @param {string} folder where they go; what was there is removed.
 * @returns {Promise<{ name: string, version: string, tarball: string }[]>} in the order of `PACKAGES`; absolute paths.
 */
export async function packPackages(folder) {
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(folder, { recursive: true });
  const stages = mkdtempSync(join(tmpdir(), 'farjit-pack-'));
  try {
    const packed = [];
    for (const { name, version, stage } of await stagePackages(stages)) {
      await run('npm', ['pack', '--silent', '--ignore-scripts', '--pack-destination', folder], {
        cwd: stage,
      });
      const file = `${name.replace('@', '').replace('/', '-')}-${version}.tgz`;
      packed.push({ name, version, tarball: join(folder, file) });
    }
    return packed;
  } finally {
    rmSync(stages, { recursive: true });
  }
}

/**
 * Lays all packages out, each in a folder of its own, as they will be installed.
 * @param {string} stages where the folders go.
 * @returns {Promise<{ name: string, version: string, stage: string }[]>}
 */
export async function stagePackages(stages) {
  const staged = [];
  for (const folder of PACKAGES) staged.push(await layOut(folder, join(stages, folder)));
  return staged;
}

async function layOut(folder, stage) {
  const source = join(ROOT, 'packages', folder);
  const manifest = JSON.parse(readFileSync(join(source, 'package.json'), 'utf8'));
  mkdirSync(stage, { recursive: true });
  // Programs of the platform's package are no part of the tree.
  for (const name of ['README.md', NOTICES, ...manifest.files])
    if (existsSync(join(source, name))) copy(join(source, name), join(stage, name));
  cpSync(join(ROOT, 'LICENSE'), join(stage, 'LICENSE'));
  if (manifest.files.includes('dist/src')) await keepWhatIsReached(stage, manifest);
  const notices = await (ADDITIONS[folder]?.({ stage, source, manifest }) ?? '');
  if (notices !== '') writeFileSync(join(stage, NOTICES), notices);
  if (existsSync(join(stage, NOTICES))) manifest.files.push(NOTICES);
  writeFileSync(join(stage, 'package.json'), `${JSON.stringify(manifest, null, 2)}\n`);
  return { name: manifest.name, version: manifest.version, stage };
}

function copy(from, to) {
  cpSync(from, to, { recursive: true, filter: (path) => !LEFT_OUT.test(path) });
  const files = readdirSync(dirname(to), { recursive: true, withFileTypes: true });
  for (const file of files) {
    if (!file.isFile() || !file.name.endsWith('.js')) continue;
    const path = join(file.parentPath ?? file.path, file.name);
    const text = readFileSync(path, 'latin1');
    if (text.includes('//# sourceMappingURL=')) writeFileSync(path, text.replace(MAP_COMMENT, ''), 'latin1');
  }
}

/** What else goes into a package. Each answers the notices of others whose work is inside of it. */
const ADDITIONS = {
  async 'linux-x64-gnu'({ stage }) {
    await buildPortablePrograms(join(stage, 'bin'));
    return '';
  },
  // As a dependency it would bring another with a script to install, for what FarJIT has no use for.
  async protocol({ stage, manifest }) {
    const { build } = await import('esbuild');
    const file = join(stage, 'dist/src/msgpackr.js');
    await build({
      stdin: { contents: "export { Packr } from 'msgpackr';", resolveDir: join(ROOT, 'packages/protocol') },
      outfile: file,
      bundle: true,
      format: 'esm',
      platform: 'node',
      target: 'node20',
      conditions: ['browser'],
      mainFields: ['module', 'main'],
      legalComments: 'inline',
    });
    const codec = join(stage, 'dist/src/codec.js');
    const text = readFileSync(codec, 'utf8');
    if (!text.includes("from 'msgpackr'")) throw new Error('dist/src/codec.js no longer imports msgpackr');
    writeFileSync(codec, text.replace("from 'msgpackr'", "from './msgpackr.js'"));
    delete manifest.dependencies.msgpackr;
    return noticesOf(['msgpackr']);
  },
  executor: ({ source }) => bundledNotices(source),
  compiler: ({ source }) => bundledNotices(source),
};

function bundledNotices(source) {
  const folder = join(source, 'dist/bundle');
  const maps = readdirSync(folder).filter((name) => name.endsWith('.map'));
  return noticesOf([...new Set(maps.flatMap((name) => packagesInMap(join(folder, basename(name)))))].sort());
}
