// npm run release:version: takes the changesets that have been merged into a version: of all packages, which have one, and a part
// of CHANGELOG.md.
import { readFileSync, writeFileSync } from 'node:fs';
import getReleasePlan from '@changesets/get-release-plan';
import { withRelease } from './lib/changelog.mjs';
import { BIN, ROOT } from './lib/paths.mjs';
import { run } from './lib/processes.mjs';
import { runScript, say } from './lib/report.mjs';

const CHANGELOG = `${ROOT}CHANGELOG.md`;

await runScript(async () => {
  const { changesets, releases } = await getReleasePlan(ROOT);
  if (changesets.length === 0) return say('no changesets, so no new version');
  const { newVersion } = releases.find(({ name }) => name === 'farjit');
  writeFileSync(CHANGELOG, withRelease(readFileSync(CHANGELOG, 'utf8'), newVersion, changesets));
  await run(process.execPath, [`${BIN}changeset`, 'version'], { cwd: ROOT });
  await run('npm', ['install', '--package-lock-only', '--ignore-scripts'], { cwd: ROOT });
  say(`version ${newVersion}`);
});
