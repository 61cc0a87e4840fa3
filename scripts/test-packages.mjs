// npm run test:packages [-- --here]: packs all packages, installs them by name, and uses them as people do: in an empty folder,
// with each Node that is supported, and, as root where debootstrap is installed, in empty roots of Debian. `--here` leaves the
// latter out.
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { build } from './lib/build.mjs';
import { Checks } from './lib/packages/checks.mjs';
import { checkFolder } from './lib/packages/empty-folder.mjs';
import { packPackages } from './lib/packages/pack.mjs';
import { servePackages } from './lib/packages/registry.mjs';
import { checkRoots } from './lib/packages/roots.mjs';
import { checkTarballs } from './lib/packages/tarballs.mjs';
import { runScript, step } from './lib/report.mjs';
import { setUp } from './lib/set-up.mjs';

await runScript(async () => {
  const isHere = process.argv.includes('--here');
  await setUp(!isHere && process.getuid?.() === 0 ? 'packages' : 'tests');
  await build();
  const checks = new Checks();
  const work = mkdtempSync(join(tmpdir(), 'farjit-packages-'));
  const packages = await step('packing', () => packPackages(join(work, 'tarballs')));
  const registry = await servePackages(packages);
  try {
    await checkTarballs(checks, packages);
    await checkFolder(checks, join(work, 'project'), registry.url);
    if (!isHere) await checkRoots(checks, registry.url, work);
  } finally {
    registry.close();
    rmSync(work, { recursive: true, force: true });
  }
  console.log(`${checks.passed} passed, ${checks.failed} failed`);
  return checks.failed === 0 ? 0 : 1;
});
