import { readFileSync } from 'node:fs';
import test from 'ava';
import { SPAN_NAMES } from '#compiler/src/tracing/tracing.js';
import { HOST_SPAN_NAMES } from '#executor/src/tracing/host-tracing.js';

const DOCUMENT = readFileSync(new URL('../../docs/observability.md', import.meta.url), 'utf8');

/** First column of the table under a heading whose first column is called `column`. */
function documented(column: string): string[] {
  const [, rows = ''] =
    new RegExp(`^\\| ${column} +\\|.*\\n\\|[- |]+\\n((?:\\|.*\\n)+)`, 'm').exec(DOCUMENT) ?? [];
  return rows
    .trim()
    .split('\n')
    .flatMap((row) => /^\| `([^`]+)`/.exec(row)?.[1] ?? []);
}

test('every span is documented, and no other', (t) => {
  t.deepEqual(documented('Span').sort(), [...SPAN_NAMES, ...HOST_SPAN_NAMES].sort());
});
