// node scripts/errors-doc.mjs [--check]: writes docs/errors.md from the error classes in the packages' sources and the prose in
// scripts/errors-doc.md; with --check only says whether it is up to date.
import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { errorClasses, loneCodes } from './lib/error-classes.mjs';
import { BIN, ROOT } from './lib/paths.mjs';
import { runScript, ScriptError, say } from './lib/report.mjs';

const TARGET = `${ROOT}docs/errors.md`;
const TEMPLATE = `${ROOT}scripts/errors-doc.md`;

await runScript(() => {
  const text = format(render());
  if (!process.argv.includes('--check')) {
    writeFileSync(TARGET, text);
    return say(`wrote ${TARGET}`);
  }
  if (!existsSync(TARGET) || readFileSync(TARGET, 'utf8') !== text)
    throw new ScriptError('docs/errors.md does not say what the sources say', [
      'Run: node scripts/errors-doc.mjs',
    ]);
});

/** As the checks want it. */
function format(markdown) {
  const args = ['format', '--stdin-file-path=docs/errors.md'];
  return execFileSync(`${BIN}biome`, args, { cwd: ROOT, input: markdown, encoding: 'utf8' });
}

function render() {
  const classes = errorClasses();
  const template = readFileSync(TEMPLATE, 'utf8');
  for (const code of loneCodes())
    if (!template.includes(`\`${code}\``))
      throw new ScriptError(`${code} has no class, and scripts/errors-doc.md does not say what it is`, []);
  return template.replace(/<!-- errors of (\w+) -->/g, (_, group) =>
    classes
      .filter((one) => one.group === group)
      .map(renderClass)
      .join('\n\n'),
  );
}

function renderClass({ name, codes, text, remedy, fields }) {
  if (!text || !remedy)
    throw new ScriptError(`${name} does not say what it is, or (@remarks) what to do about it`, []);
  const listed = fields.map(({ name: field, type, text: about }) => {
    const words = about ? `: ${about}` : '';
    return `- \`${field}\`: \`${type}\`${words}`;
  });
  return [
    `### ${name}`,
    codes.map((code) => `\`${code}\``).join(', '),
    text,
    `**What to do:** ${remedy}`,
    ...(listed.length > 0 ? [listed.join('\n')] : []),
  ].join('\n\n');
}
