// npm run docs:figures [-- --print]: measures what the tables of docs/laziness.md say and writes them, and the figures themselves into
// docs/figures/laziness.json. With --print it only prints the tables. Wants what `npm run build` makes, lli of LLVM 22,
// and an idle machine.
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { measure } from './lib/laziness/measure.mjs';
import { measureOrc } from './lib/laziness/measure-orc.mjs';
import { withFigures } from './lib/laziness/render.mjs';
import { ROOT } from './lib/paths.mjs';
import { runScript, say } from './lib/report.mjs';

const PAGE = `${ROOT}docs/laziness.md`;
const FIGURES = `${ROOT}docs/figures/laziness.json`;
const SAMPLE_COUNT = 5;

await runScript(async () => {
  const figures = { ...(await measure(SAMPLE_COUNT, say)), orc: await measureOrc(SAMPLE_COUNT, say) };
  const page = withFigures(readFileSync(PAGE, 'utf8'), figures);
  if (process.argv.includes('--print')) {
    for (const [, block] of page.matchAll(/<!-- figures: \w+ -->\n([\s\S]*?)<!-- end of figures -->/g))
      console.log(block.trim(), '\n');
    return;
  }
  mkdirSync(`${ROOT}docs/figures`, { recursive: true });
  writeFileSync(FIGURES, `${JSON.stringify(figures, null, 2)}\n`);
  writeFileSync(PAGE, page);
  say(`wrote ${PAGE} and ${FIGURES}`);
});
