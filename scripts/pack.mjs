// npm run pack [-- FOLDER]: builds, and makes the tarballs of all packages, in dist/packages unless another folder is named.
import { resolve } from 'node:path';
import { build } from './lib/build.mjs';
import { packPackages } from './lib/packages/pack.mjs';
import { ROOT } from './lib/paths.mjs';
import { runScript, say } from './lib/report.mjs';

await runScript(async () => {
  await build();
  const folder = resolve(process.argv[2] ?? `${ROOT}dist/packages`);
  for (const { name, tarball } of await packPackages(folder)) say(`${name}: ${tarball}`);
});
