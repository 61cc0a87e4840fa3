import { execFile } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import test from 'ava';

const ROOT = fileURLToPath(new URL('../../', import.meta.url));
const run = promisify(execFile);

const PAGES = readdirSync(join(ROOT, 'docs'))
  .filter((name) => name.endsWith('.md'))
  .map((name) => basename(name, '.md'));

test('every page has its place in the reading order', (t) => {
  const order = JSON.parse(readFileSync(join(ROOT, 'docs/.vitepress/reading-order.json'), 'utf8')) as {
    readonly pages: Readonly<Record<string, string>>;
  }[];
  const listed = order.flatMap(({ pages }) => Object.keys(pages));
  t.deepEqual(listed.toSorted(), PAGES.filter((page) => page !== 'index').toSorted());
});

test('docs/cli.md says what --help says', async (t) => {
  await t.notThrowsAsync(run(process.execPath, [join(ROOT, 'scripts/cli-doc.mjs'), '--check']));
});

test('docs/metrics-and-limits.md says what the sources say', async (t) => {
  await t.notThrowsAsync(run(process.execPath, [join(ROOT, 'scripts/reference-doc.mjs'), '--check']));
});

test('the site has every page, finds words in them, and asks no other host for anything', async (t) => {
  t.timeout(480_000);
  const out = mkdtempSync(join(tmpdir(), 'farjit-site-'));
  t.teardown(() => rmSync(out, { recursive: true }));
  // A link between pages that leads nowhere is an error there.
  const args = [join(ROOT, 'scripts/docs.mjs'), '--no-api', '--out', out];
  await run(process.execPath, args, { env: { ...process.env, CI: 'true' } });
  for (const page of PAGES) {
    const html = readFileSync(join(out, `${page}.html`), 'utf8');
    t.notRegex(html, /<(?:script|link|img)\b[^>]*\b(?:src|href)="(?:https?:)?\/\//, page);
    // What is not a page is read where the sources are.
    t.notRegex(html, /href="\.\.\//, page);
  }
  t.regex(
    readFileSync(join(out, 'glossary.html'), 'utf8'),
    /href="https:\/\/[^"]+\/packages\/compiler\/src\/core\/jit-dylib\.ts"/,
  );
  const chunks = readdirSync(join(out, 'assets/chunks')).filter((name) =>
    name.startsWith('@localSearchIndex'),
  );
  t.is(chunks.length, 1);
  t.regex(readFileSync(join(out, 'assets/chunks', chunks[0] ?? ''), 'utf8'), /trampoline/);
});
