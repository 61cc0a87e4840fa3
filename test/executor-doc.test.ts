import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import test from 'ava';
import {
  flagOf,
  OPTION_NAMES,
  OPTIONS,
  type OptionDeclaration,
  optionsSchema,
  variableOf,
} from '#executor/src/options.js';
import { SettingsError } from '#executor/src/settings.js';
import { parseSettings } from '#executor/src/settings-file.js';
import { parseTokenFile } from '#executor/src/token-file.js';

const text = readFileSync(fileURLToPath(new URL('../../docs/executor.md', import.meta.url)), 'utf8');

test('docs/executor.md lists all options, with their variables, keys and defaults', (t) => {
  const lines = text.split('\n');
  const start = lines.findIndex((line) => line.startsWith('| Option '));
  const rows = lines.slice(start + 2, lines.indexOf('', start)).map((line) =>
    line
      .split('|')
      .slice(1, 5)
      .map((cell) => cell.trim()),
  );
  const expected = OPTION_NAMES.map((name) => {
    const { argument, fallback = '' }: OptionDeclaration = OPTIONS[name];
    const flag = argument === undefined ? flagOf(name) : `${flagOf(name)} ${argument}`;
    return [`\`${flag}\``, `\`${variableOf(name)}\``, `\`${name}\``, fallback];
  });
  t.deepEqual(rows, expected);
});

/** The blocks of YAML, in their order. */
function examples(): string[] {
  return [...text.matchAll(/```yaml\n(.*?)```/gs)].map(([, block = '']) => block);
}

test('the examples of configuration and token files are ones', async (t) => {
  const [configuration = '', tokens = ''] = examples();
  const options = parseSettings(configuration, 'farjit.yaml', optionsSchema);
  t.is(options.maxSessions, 100);
  t.is(options.limit?.memory, 1024 ** 3);
  const credentials = await parseTokenFile(tokens, 'tokens.yaml');
  t.deepEqual(credentials.tokens[0]?.quotas, {
    sessions: 8,
    memory: 4 * 1024 ** 3,
    cpu: 3600,
    calls: 64,
    objects: 128 * 1024 ** 2,
  });
  t.is(credentials.certificates[0]?.name, 'alice.example');
  await t.throwsAsync(parseTokenFile(tokens.replace('expires', 'expire'), 'tokens.yaml'), {
    instanceOf: SettingsError,
  });
});
