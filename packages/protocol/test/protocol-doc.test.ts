import { execFile } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import test from 'ava';
import { MESSAGES } from '../src/messages/index.js';

const ROOT = fileURLToPath(new URL('../../../../', import.meta.url));

test('docs/protocol.md says what the declarations say', async (t) => {
  const stderr = await new Promise<string>((resolve) => {
    const args = [`${ROOT}scripts/protocol-doc.mjs`, '--check'];
    execFile(process.execPath, args, (error, _stdout, words) => resolve(error ? words || error.message : ''));
  });
  t.is(stderr, '');
});

test('docs/protocol.md has a heading for each message, and its links lead somewhere', (t) => {
  const text = readFileSync(`${ROOT}docs/protocol.md`, 'utf8');
  const headings = new Set([...text.matchAll(/^#+ (.+)$/gm)].map(([, title]) => title));
  for (const { method } of MESSAGES) t.true(headings.has(method), method);
  const anchors = new Set(
    [...headings].map((title) => title?.toLowerCase().replaceAll(' ', '-').replaceAll("'", '')),
  );
  for (const [, anchor] of text.matchAll(/\]\(#([^)]+)\)/g)) t.true(anchors.has(anchor), anchor);
});
