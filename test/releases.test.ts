import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import getReleasePlan from '@changesets/get-release-plan';
import test from 'ava';

const ROOT = fileURLToPath(new URL('../../', import.meta.url));

interface Manifest {
  readonly name: string;
  readonly version: string;
  readonly repository?: { readonly url: string };
  readonly homepage?: string;
  readonly bugs?: string;
}

function manifestOf(folder: string): Manifest {
  return JSON.parse(readFileSync(join(ROOT, folder, 'package.json'), 'utf8'));
}
const MANIFESTS = readdirSync(join(ROOT, 'packages')).map((folder) => manifestOf(`packages/${folder}`));

test('all packages have one version, which CHANGELOG.md begins with', (t) => {
  const [, newest] = /^## (\S+)$/m.exec(readFileSync(join(ROOT, 'CHANGELOG.md'), 'utf8')) ?? [];
  for (const { name, version } of MANIFESTS) t.is(version, newest ?? '', name);
});

test('changesets release all packages together', async (t) => {
  const { changesets, releases } = await getReleasePlan(ROOT);
  t.is(releases.length, changesets.length === 0 ? 0 : MANIFESTS.length);
  t.true(new Set(releases.map(({ newVersion }) => newVersion)).size <= 1);
});

test('all packages name the same repository', (t) => {
  const urls = new Set([manifestOf('.'), ...MANIFESTS].map(({ repository }) => repository?.url));
  t.deepEqual([...urls], ['git+https://github.com/farjit/farjit.git']);
});

test('a release is put on top of the change log, by what it means for users', async (t) => {
  const { withRelease } = await import(pathToFileURL(join(ROOT, 'scripts/lib/changelog.mjs')).href);
  const changesets = [
    { summary: 'Mend it.', releases: [{ type: 'patch' }] },
    { summary: 'Add it.\nIt is used so.', releases: [{ type: 'patch' }, { type: 'minor' }] },
  ];
  t.is(
    withRelease('# Changes\n\nOf all.\n\n## 0.1.0\n\nThe first.\n', '0.2.0', changesets),
    '# Changes\n\nOf all.\n\n## 0.2.0\n\n### New\n\n- Add it.\n  It is used so.\n\n### Mended\n\n- Mend it.\n\n## 0.1.0\n\nThe first.\n',
  );
  t.is(withRelease('# Changes\n', '0.1.0', []), '# Changes\n\n## 0.1.0\n');
});
