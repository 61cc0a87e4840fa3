import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { ROOT } from '../paths.mjs';
import { ScriptError } from '../report.mjs';
import { mitLicence } from './mit-licence.mjs';

/** The names of other people's packages that a source map says are inside of its script. */
export function packagesInMap(path) {
  const { sources } = JSON.parse(readFileSync(path, 'utf8'));
  const names = sources.map((source) => /.*\/node_modules\/((?:@[^/]+\/)?[^/]+)\//.exec(source)?.[1]);
  return [...new Set(names.filter((name) => name !== undefined && !name.startsWith('@farjit/')))];
}

/**
 * Names, versions and licences of npm packages, in Markdown.
 * @throws {ScriptError} for one that comes without a licence: neither a file, nor MIT's name and an author.
 */
export function noticesOf(names) {
  const parts = names.map((name) => {
    const folder = join(ROOT, 'node_modules', name);
    const { version, license, author } = JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8'));
    const file = readdirSync(folder).find((entry) => /^licen[cs]e(\.\w+)?$/i.test(entry));
    if (file !== undefined)
      return part(`${name} ${version} (${license})`, readFileSync(join(folder, file), 'utf8'));
    const holder = typeof author === 'string' ? author : author?.name;
    if (license !== 'MIT' || !holder) throw new ScriptError(`${name} has no file with its licence`);
    return part(`${name} ${version} (${license})`, mitLicence(holder));
  });
  return `# Notices of third parties\n\nThis package has code of others inside:\n\n${parts.join('\n')}`;
}

function part(title, text) {
  return `## ${title}\n\n${text
    .trim()
    .replace(/^/gm, '    ')
    .replace(/[ \t]+$/gm, '')}\n`;
}
