// npm run release [-- --dry-run]: builds, packs and publishes the packages whose version the registry does not have, with where
// they were built (provenance, which npm makes in a workflow alone). The lines on stdout are what changesets' action reads.
import { execFileSync } from 'node:child_process';
import { build } from './lib/build.mjs';
import { packPackages } from './lib/packages/pack.mjs';
import { ROOT } from './lib/paths.mjs';
import { ask, run } from './lib/processes.mjs';
import { runScript, say } from './lib/report.mjs';

await runScript(async () => {
  const isDry = process.argv.includes('--dry-run');
  await build();
  // A package comes after those that it depends on.
  for (const { name, version, tarball } of await packPackages(`${ROOT}dist/packages`)) {
    if (ask('npm', ['view', `${name}@${version}`, 'version']) === version) {
      say(`${name}@${version} is published already`);
      continue;
    }
    const options = ['--access', 'public', '--ignore-scripts', isDry ? '--dry-run' : '--provenance'];
    await run('npm', ['publish', tarball, ...options], { cwd: ROOT });
    if (isDry) {
      say(`${name}@${version} would be published`);
      continue;
    }
    execFileSync('git', ['tag', `${name}@${version}`], { cwd: ROOT });
    console.log(`New tag: ${name}@${version}`);
  }
});
