import { existsSync, readFileSync } from 'node:fs';
import { keepLLVMBindings } from './llvm-bindings.mjs';
import { ROOT } from './paths.mjs';
import { run } from './processes.mjs';
import { step } from './report.mjs';

/**
 * Installs the npm packages when `node_modules` is not what `package-lock.json` says.
 * @param {{ withDevelopment: boolean }} options without `withDevelopment`, what the command is built of and runs with: the
 *   workspace's `dependencies`, with what esbuild and ffi-rs need on this one platform; not what is for development, and not what
 *   is optional, of which npm takes llvm-bindings and its two hundred packages for something that may be wanted
 * @returns {Promise<boolean>} whether there was anything to do
 */
export async function installNpmPackages({ withDevelopment }) {
  if (isInstalled(withDevelopment)) return false;
  const options = ['--ignore-scripts', '--no-audit', '--no-fund', '--loglevel=http'];
  if (!withDevelopment) options.push('--omit=dev', '--omit=optional');
  await step('npm packages: installing', (progress) =>
    keepLLVMBindings(() =>
      // Install scripts stay off: newer npm refuses them anyway, and the one that matters is a step of its own.
      run('npm', ['ci', ...options], {
        cwd: ROOT,
        // Which package, not from where.
        onLine: (line) => {
          const fetched = /fetch GET \d+ \S+\/([^/\s]+\.tgz)/.exec(line);
          if (fetched) progress(fetched[1]);
        },
        advice: ['Is the npm registry reachable (npm ping)?'],
      }),
    ),
  );
  return true;
}

/** Compares with `node_modules/.package-lock.json`, npm's own record of what it installed. */
function isInstalled(withDevelopment) {
  const wanted = packagesOf(`${ROOT}package-lock.json`);
  const installed = packagesOf(`${ROOT}node_modules/.package-lock.json`);
  return Object.entries(wanted).every(([path, { version, link, optional, dev, devOptional }]) => {
    if (!path.startsWith('node_modules/') || optional || ((dev || devOptional) && !withDevelopment))
      return true;
    return existsSync(`${ROOT}${path}`) && (link || installed[path]?.version === version);
  });
}

function packagesOf(lockFile) {
  return existsSync(lockFile) ? JSON.parse(readFileSync(lockFile, 'utf8')).packages : {};
}
