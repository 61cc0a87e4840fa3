import { readFileSync } from 'node:fs';
import test from 'ava';
import { SPAN_NAMES } from '#compiler/src/observe/spans.js';
import { LOG_EVENTS } from '#executor/src/logging/log.js';
import { Metrics } from '#executor/src/metrics/metrics.js';
import { HOST_SPAN_NAMES } from '#executor/src/tracing/traces.js';

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

test('every metric is documented with its type and labels, and no other', (t) => {
  const { registry } = new Metrics(() => ({
    sessionsOpen: 0,
    sessionsMax: 0,
    callsInFlight: 0,
    callsWaiting: 0,
    threadsBlocked: 0,
    hostCallsOpen: 0,
    runnersWarm: 0,
    runnersMemoryBytes: 0,
    sessionSeconds: 0,
    isDraining: false,
  }));
  // The package's types do not tell of labels.
  const counted = registry.getMetricsAsArray() as unknown as {
    name: string;
    type: string;
    labelNames: string[];
  }[];
  const own = counted.filter(({ name }) => name.startsWith('farjit_'));
  t.deepEqual(
    documentedRows('Metric').sort(),
    own.map(({ name, type, labelNames }) => `${name} ${type} ${labelNames.join(' ')}`.trim()).sort(),
  );
});

/** Cells of the first three columns. */
function documentedRows(column: string): string[] {
  const names = new Set(documented(column));
  return [...DOCUMENT.matchAll(/^\| `(\w+)` +\| (\w+) +\| (?:`(\w+)`)? *\|/gm)]
    .filter(([, name = '']) => names.has(name))
    .map(([, name, type, label = '']) => `${name} ${type} ${label}`.trim());
}

test('every kind of log line is documented with its level, and no other', (t) => {
  const rows = new Map(
    [...DOCUMENT.matchAll(/^\| `([\w-]+)` +\| `(\w+)` +\|/gm)].map(([, event, level]) => [event, level]),
  );
  t.deepEqual(Object.fromEntries(documented('Event').map((event) => [event, rows.get(event)])), LOG_EVENTS);
});
