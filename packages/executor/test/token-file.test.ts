import test from 'ava';
import { SettingsError } from '../src/settings.js';
import { parseTokenFile } from '../src/token-file.js';
import { findToken, hashToken } from '../src/tokens.js';

const HASH = '9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08'; // of "test"

for (const text of ['plain', ' correct horse \n', 'a: b', '-x', 'tokens'])
  test(`a file of one line is a token: ${JSON.stringify(text)}`, async (t) => {
    const { tokens, certificates } = await parseTokenFile(text, 'f');
    t.deepEqual(certificates, []);
    t.is(tokens.length, 1);
    t.is(findToken(tokens, text.trim())?.name, 'default');
    t.is(findToken(tokens, `${text.trim()} `), undefined);
  });

const YAML = `
# Who may run code here.
tokens:
  - name: build farm
    sha256: ${HASH}
    expires: 2030-12-31
    quotas:
      sessions: 8
      memory: 4G
      cpu: 3600
      calls: 64
  - name: other
    sha256: ${HASH.toUpperCase().replace('9F', '00')}
    expires: 2030-12-31T18:00:00+02:00
certificates:
  - name: farm.example
    quotas: { memory: 1048576 }
`;

test('YAML has names, hashes, expiry and quotas', async (t) => {
  const { tokens, certificates } = await parseTokenFile(YAML, 'f');
  t.is(findToken(tokens, 'test'), tokens[0]);
  t.like(tokens[0], {
    name: 'build farm',
    expiresMs: Date.UTC(2030, 11, 31),
    quotas: { sessions: 8, memory: 4 * 1024 ** 3, cpu: 3600, calls: 64 },
  });
  t.like(tokens[1], { name: 'other', expiresMs: Date.UTC(2030, 11, 31, 16), quotas: {} });
  t.deepEqual(certificates, [{ name: 'farm.example', quotas: { memory: 1_048_576 } }]);
});

for (const [what, text] of [
  ['a list', `- name: a\n  sha256: ${HASH}\n`],
  ['a list after comments', `# tokens\n\n- name: a\n  sha256: ${HASH}\n`],
  ['JSON', `{ "tokens": [{ "name": "a", "sha256": "${HASH}" }] }`],
  ['a JSON list', `[{ "name": "a", "sha256": "${HASH}" }]`],
] as const)
  test(`${what} of tokens is read`, async (t) => {
    const { tokens } = await parseTokenFile(text, 'f');
    t.deepEqual(
      tokens.map(({ name, sha256, quotas }) => [name, Buffer.from(sha256).toString('hex'), quotas]),
      [['a', HASH, {}]],
    );
  });

const one = (more: string) => `- name: a\n  sha256: ${HASH}\n${more}`;

for (const [what, text, message] of [
  ['nothing', ' \n', 'the token in f is empty'],
  ['no tokens', '{}', 'f has no tokens and no certificates: nobody could connect'],
  ['no name', `- sha256: ${HASH}\n#`, 'f:1: [0].name: is missing'],
  ['no hash', '- name: a\n#', 'f:1: [0].sha256: is missing'],
  [
    'a token',
    '- name: a\n  sha256: secret',
    'f:2: [0].sha256: expected the SHA-256 of a token: 64 hexadecimal digits',
  ],
  [
    'an escape',
    `- name: "\\e[1m"\n  sha256: ${HASH}`,
    'f:1: [0].name: expected words without control characters',
  ],
  ['a mistyped key', one('  expire: 2030-01-01\n'), 'f:3: [0].expire: unknown key; did you mean expires?'],
  ['a mistyped section', 'token:\n  - name: a\n', 'f:1: token: unknown key; did you mean tokens?'],
  [
    'an unknown quota',
    one('  quotas:\n    frobs: 1\n'),
    'f:4: [0].quotas.frobs: unknown key; there are sessions, memory, cpu, calls, objects',
  ],
  [
    'a quota of nothing',
    one('  quotas:\n    sessions: 0\n'),
    'f:4: [0].quotas.sessions: expected at least 1',
  ],
  [
    'a size that is none',
    one('  quotas:\n    memory: lots\n'),
    'f:4: [0].quotas.memory: expected a number of bytes, as in 512M',
  ],
  [
    'a date that is none',
    one('  expires: soon\n'),
    'f:3: [0].expires: expected a date, as in 2030-12-31 or 2030-12-31T18:00:00Z',
  ],
  [
    'a month that is none',
    one('  expires: 2030-13-01\n'),
    'f:3: [0].expires: expected a date, as in 2030-12-31 or 2030-12-31T18:00:00Z',
  ],
  ['broken YAML', one('  quotas: {\n'), /^f:\d: /],
  [
    'different quotas for one name',
    one(one('  quotas: { calls: 1 }\n')),
    'f: entries named a have different quotas: they are one identity',
  ],
  [
    'different quotas for certificates of one name',
    'certificates:\n  - name: a\n  - name: a\n    quotas: { calls: 1 }\n',
    'f: entries named a have different quotas: they are one identity',
  ],
] as const)
  test(`${what} is refused with file, line and key`, async (t) => {
    await t.throwsAsync(parseTokenFile(text, 'f'), { instanceOf: SettingsError, message });
  });

test('only the hash is kept, and all of it is compared', async (t) => {
  const { tokens } = await parseTokenFile(one(''), 'f');
  t.deepEqual(Object.keys(tokens[0] ?? {}), ['name', 'quotas', 'sha256']);
  t.deepEqual(tokens[0]?.sha256, hashToken('test'));
  t.is(findToken([{ ...tokens[0], name: 'a', quotas: {}, sha256: hashToken('other') }], 'test'), undefined);
});
