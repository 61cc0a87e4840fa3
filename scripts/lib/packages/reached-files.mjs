import { existsSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { isBuiltin } from 'node:module';
import { dirname, join, relative, resolve } from 'node:path';
import { ScriptError } from '../report.mjs';

/**
 * Removes from a package what nothing in it leads to: modules that only a bundled command has, which is whole without them;
 * and from its manifest the packages that only those import.
 * @param {string} folder the package's.
 * @param {object} manifest its package.json; changed.
 * @throws {ScriptError} for an import of a package that the manifest does not name.
 */
export async function keepWhatIsReached(folder, manifest) {
  const exported = Object.values(manifest.exports ?? {}).filter((target) => typeof target === 'object');
  const code = await reachedModules(
    folder,
    exported.map((target) => target.default),
  );
  const types = reachedTypes(
    folder,
    exported.map((target) => target.types),
  );
  const kept = new Set([...code.files, ...types.files]);
  for (const file of readdirSync(join(folder, 'dist/src'), { recursive: true, withFileTypes: true })) {
    const path = join(file.parentPath ?? file.path, file.name);
    if (file.isFile() && !kept.has(relative(folder, path))) rmSync(path);
  }
  const named = new Set([...code.packages, ...types.packages, ...packagesOfBundles(folder)]);
  const { dependencies = {}, optionalDependencies = {}, peerDependencies = {} } = manifest;
  for (const name of named)
    if (
      !(name in { ...dependencies, ...optionalDependencies, ...peerDependencies }) &&
      name !== manifest.name
    )
      throw new ScriptError(`${manifest.name} imports ${name}, which its package.json does not name`);
  // What is not imported but started, or looked up, is our own.
  for (const name of Object.keys(dependencies))
    if (!named.has(name) && !name.startsWith('@farjit/')) delete dependencies[name];
}

async function reachedModules(folder, entries) {
  const { build } = await import('esbuild');
  const { metafile } = await build({
    absWorkingDir: folder,
    entryPoints: entries,
    outdir: 'unwritten',
    write: false,
    bundle: true,
    metafile: true,
    platform: 'node',
    format: 'esm',
    packages: 'external',
    logLevel: 'silent',
  });
  const imports = Object.values(metafile.inputs).flatMap((input) => input.imports);
  const outside = imports.filter(({ external, path }) => external && !isBuiltin(path));
  return {
    files: Object.keys(metafile.inputs),
    packages: outside.map(({ path }) => packageName(path)),
  };
}

/** TypeScript's declarations import each other where the code does not. */
function reachedTypes(folder, entries) {
  const files = new Set();
  const packages = [];
  const follow = (file) => {
    if (files.has(relative(folder, file))) return;
    files.add(relative(folder, file));
    const text = readFileSync(file, 'utf8');
    for (const [, specifier] of text.matchAll(/(?:from |import\(|import )['"]([^'"]+)['"]/g)) {
      if (!specifier.startsWith('.')) {
        if (!isBuiltin(specifier)) packages.push(packageName(specifier));
        continue;
      }
      follow(resolve(dirname(file), specifier.replace(/\.js$/, '.d.ts')));
    }
  };
  for (const entry of entries) follow(join(folder, entry));
  return { files: [...files], packages };
}

/** What the bundles of commands leave outside. */
function packagesOfBundles(folder) {
  const bundles = join(folder, 'dist/bundle');
  if (!existsSync(bundles)) return [];
  const scripts = readdirSync(bundles).filter((name) => name.endsWith('.bundle.js'));
  return scripts.flatMap((name) => {
    const text = readFileSync(join(bundles, name), 'latin1');
    const required = [...text.matchAll(/require\(["']((?:@|\w)[^"']*)["']\)/g)].map(([, found]) => found);
    // The native halves of ffi-rs for other machines are nobody's: FarJIT calls native code on Linux alone.
    return required
      .filter((found) => !isBuiltin(found) && !/^@yuuang\/ffi-rs-(?!linux-x64-gnu)/.test(found))
      .map(packageName);
  });
}

function packageName(specifier) {
  return /^(?:@[^/]+\/)?[^/]+/.exec(specifier)[0];
}
