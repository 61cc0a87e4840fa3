import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import test from 'ava';
import { withFigures } from '../readme-figures.js';

const ROOT = fileURLToPath(new URL('../../../', import.meta.url));
const README = readFileSync(`${ROOT}README.md`, 'utf8');
const MEASURED = readFileSync(`${ROOT}docs/performance.md`, 'utf8');

test('the figures in README are those that were measured', (t) => {
  t.is(withFigures(README, MEASURED), README, 'npm run bench -- --write-docs writes them');
});

test('other figures take their places, and the table stays as wide', (t) => {
  const measured = MEASURED.replace(/^(\| 1 +\| +)\d+( \([^)]*\) \| +)\d+ /m, '$1 7$2 1234 ').replace(
    /^(\| opening a session on a warm server .* )\d+\.\d \(/m,
    '$112.6 (',
  );
  const changed = withFigures(README, measured).split('\n');
  const row = changed.find((line) => line.startsWith('| starts in'));
  t.regex(row ?? '', /\| \[7 ms\]\(docs\/performance\.md\); on a warm server 13 ms +\| \*\*1234 ms\*\* +\|/);
  t.is(row?.length, README.split('\n').find((line) => line.startsWith('| starts in'))?.length);
  t.is(changed.length, README.split('\n').length);
});

test('what shows no such figures is named', (t) => {
  t.throws(() => withFigures(README, '# Performance'), { message: /docs\/performance\.md does not show/ });
  t.throws(() => withFigures('# FarJIT', MEASURED), { message: /README has no row/ });
});
