import { readFileSync, writeFileSync } from 'node:fs';
import { type FuzzReport, shareAccepted } from './fuzzer.js';

const BEGIN = '<!-- figures: written by npm run fuzz -- --write-docs -->';
const END = '<!-- end of figures -->';
const HEADER = [
  '| Target | Inputs | a second | Seed | Past the first validator | Where inputs end |',
  '| --- | --: | --: | --: | --: | --- |',
];

/** Puts the reports into the table of a document; rows of targets that were not run stay as they are. */
export function writeFigures(file: string, reports: readonly FuzzReport[], order: readonly string[]): void {
  const text = readFileSync(file, 'utf8');
  const [before, rest] = splitAt(text, BEGIN);
  const [table, after] = splitAt(rest, END);
  const rows = new Map<string, string>();
  for (const line of table.split('\n')) {
    const name = /^\| `([a-z-]+)`/.exec(line)?.[1];
    if (name !== undefined) rows.set(name, line);
  }
  for (const report of reports) rows.set(report.target, rowOf(report));
  const lines = order.flatMap((name) => rows.get(name) ?? []);
  writeFileSync(file, `${before}${BEGIN}\n\n${[...HEADER, ...lines].join('\n')}\n\n${END}${after}`);
}

function splitAt(text: string, mark: string): [string, string] {
  const at = text.indexOf(mark);
  if (at < 0) throw new Error(`the document has no ${mark}`);
  return [text.slice(0, at), text.slice(at + mark.length)];
}

function rowOf(report: FuzzReport): string {
  const { target, seed, inputs, elapsedMs, outcomes } = report;
  const stages = [...outcomes].map(([stage, count]) => `${stage} ${percent(count / inputs)}`).join(', ');
  const perSecond = Math.round(inputs / (elapsedMs / 1000));
  const cells = [
    `\`${target}\``,
    inputs.toLocaleString('en'),
    perSecond.toLocaleString('en'),
    String(seed),
    percent(shareAccepted(report)),
    stages,
  ];
  return `| ${cells.join(' | ')} |`;
}

function percent(share: number): string {
  return `${(100 * share).toFixed(1)}%`;
}
