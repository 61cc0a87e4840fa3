// node scripts/reference-doc.mjs [--check]: writes docs/metrics-and-limits.md from the metrics and limits that the packages declare;
// with --check only says whether it is up to date. Wants what `npm run build` makes.
import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { BIN, ROOT } from './lib/paths.mjs';
import { runScript, ScriptError, say } from './lib/report.mjs';

const TARGET = `${ROOT}docs/metrics-and-limits.md`;
const dist = (path) => import(`${ROOT}packages/${path}`);
const { Metrics } = await dist('executor/dist/src/metrics/metrics.js');
const { DEFAULT_LIMITS } = await dist('executor/dist/src/limits.js');
const { LIMIT_UNITS, leastOf } = await dist('protocol/dist/src/limits.js');

await runScript(() => {
  const text = format(render());
  if (!process.argv.includes('--check')) {
    writeFileSync(TARGET, text);
    return say(`wrote ${TARGET}`);
  }
  if (!existsSync(TARGET) || readFileSync(TARGET, 'utf8') !== text)
    throw new ScriptError('docs/metrics-and-limits.md does not say what the sources say', [
      'Run: node scripts/reference-doc.mjs',
    ]);
});

/** As the checks want it. */
function format(markdown) {
  const args = ['format', '--stdin-file-path=docs/metrics-and-limits.md'];
  return execFileSync(`${BIN}biome`, args, { cwd: ROOT, input: markdown, encoding: 'utf8' });
}

function render() {
  return `# Metrics and limits

This page is written from the sources by \`node scripts/reference-doc.mjs\`.

## Metrics

An executor serves these in Prometheus' text format. [Observability](observability.md#metrics) says where, and explains each of them and
the values of its labels. Beside them are those of Node and of its process, which prom-client names (\`nodejs_…\`, \`process_…\`).

${table(['Metric', 'Type', 'Labels', 'What it is', 'Buckets'], metrics())}

## Limits of a session

Each is \`--limit NAME=VALUE\` of \`farjit-executor\`, \`farjit run\` and \`farjit repl\`; \`none\` lifts it. [Security](security.md#limits) says what
happens at each of them.

${table(['Limit', 'Unit', 'Default', 'At least', 'What it bounds'], limits())}

[Quotas](executor.md#quotas) bound what all sessions of one identity use together.
`;
}

function metrics() {
  // It asks for figures when it is read, and here nobody reads them.
  const { registry } = new Metrics(() => ({}));
  return registry
    .getMetricsAsArray()
    .filter(({ name }) => name.startsWith('farjit_'))
    .map((metric) => [
      `\`${metric.name}\``,
      metric.constructor.name.toLowerCase(),
      metric.labelNames.map((label) => `\`${label}\``).join(', '),
      metric.help,
      (metric.buckets ?? []).join(', '),
    ])
    .sort(([a], [b]) => (a < b ? -1 : 1));
}

function limits() {
  const source = readFileSync(`${ROOT}packages/protocol/src/limits.ts`, 'utf8');
  const words = new Map(
    [...source.matchAll(/\/\*\* (.+) \*\/\n {2}'?([\w-]+)'?: '\w+',/g)].map(([, text, name]) => [name, text]),
  );
  return Object.entries(LIMIT_UNITS).map(([name, unit]) => {
    const text = words.get(name);
    if (!text)
      throw new ScriptError(`the limit ${name} has no comment in packages/protocol/src/limits.ts`, []);
    return [`\`${name}\``, unit, shown(DEFAULT_LIMITS[name]), shown(leastOf(name)), text];
  });
}

function shown(value) {
  return value === null ? 'none' : value.toLocaleString('en-US');
}

function table(header, rows) {
  const line = (cells) => `| ${cells.join(' | ')} |`;
  return [line(header), line(header.map(() => '---')), ...rows.map(line)].join('\n');
}
