import { type Table, toMarkdown } from './table.js';

/** `docs/performance.md`: everything that was printed, as a page. */
export function performanceDocument(machine: readonly string[], tables: readonly Table[]): string {
  const head = `# Performance

What \`npm run bench\` measured on one machine. This page is written by \`npm run bench -- --write-docs\`; the same
command on another machine gives that machine's figures. Nothing here is a promise, and no test depends on it.

${machine.map((fact) => `- ${fact}`).join('\n')}

On an idle machine a blocked process costs more than a busy one: waking an idle core takes tens of microseconds, and a
compile callback does it four times (runner to host, host to compiler, and back).
`;
  return `${head}\n${tables.map(toMarkdown).join('\n')}`;
}
