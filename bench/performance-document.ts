import { mkdirSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type Plot, toSVG } from './plot.js';
import { type Table, toMarkdown } from './table.js';

/** Everything that was printed. */
export interface Performance {
  /** Of the machine, one a line. */
  readonly facts: readonly string[];
  readonly figures: Table;
  readonly overview: Plot;
  /** By benchmark. */
  readonly results: readonly { readonly tables: readonly Table[]; readonly plots: readonly Plot[] }[];
}

/** Writes `performance.md` and its plots, and removes plots of before. */
export function writeDocument(folder: string, performance: Performance): void {
  const plots = join(folder, 'plots');
  mkdirSync(plots, { recursive: true });
  for (const name of readdirSync(plots)) if (name.endsWith('.svg')) rmSync(join(plots, name));
  for (const plot of [performance.overview, ...performance.results.flatMap((result) => result.plots)])
    writeFileSync(join(plots, `${plot.id}.svg`), toSVG(plot));
  writeFileSync(join(folder, 'performance.md'), toDocument(performance));
}

/** The page, with links to the plots. */
export function toDocument({ facts, figures, overview, results }: Performance): string {
  const sections = results.flatMap(({ tables, plots }) => [...tables.map(toMarkdown), ...plots.map(image)]);
  return `# Performance

What \`npm run bench\` measured on one machine. This page and its plots are written by
\`npm run bench -- --write-docs\`; the same command on another machine gives that machine's figures. Nothing here is a
promise, and no test depends on it; what can be counted is asserted by tests.

${facts.map((fact) => `- ${fact}`).join('\n')}

On an idle machine a blocked process costs more than a busy one: waking an idle core takes tens of microseconds, and a
compile callback does it four times (runner to host, host to compiler, and back).

${toMarkdown(figures)}
${image(overview)}
${sections.join('\n')}`;
}

function image({ id, title }: Plot): string {
  return `![${title}](plots/${id}.svg)\n`;
}
