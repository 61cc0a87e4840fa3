import test from 'ava';
import { parseTokenFile } from '../src/token-file.js';
import { findToken, hashToken, loneToken, makeToken } from '../src/tokens.js';

const HASH = Buffer.from(hashToken('test')).toString('hex');
const entry = (name: string, more = '') => `- name: ${JSON.stringify(name)}\n  sha256: ${HASH}\n${more}`;

test('a token is 256 bits that nobody has had before', (t) => {
  const tokens = Array.from({ length: 100 }, makeToken);
  t.is(new Set(tokens).size, 100);
  for (const token of tokens) t.is(Buffer.from(token, 'base64url').byteLength, 32);
});

test('a token is found by all of its letters, wherever it stands', (t) => {
  const tokens = ['a', 'b', 'c'].map((name) => ({ name, sha256: hashToken(`token of ${name}`), quotas: {} }));
  for (const { name } of tokens) t.is(findToken(tokens, `token of ${name}`)?.name, name);
  for (const wrong of ['', 'token of', 'token of d', 'TOKEN OF A', ' token of a'])
    t.is(findToken(tokens, wrong), undefined);
  t.is(findToken([], ''), undefined);
  t.deepEqual(loneToken('x').certificates, []);
  t.is(findToken(loneToken('x').tokens, 'x')?.name, 'default');
});

test('a name has so many characters, and a quota so much', async (t) => {
  const names = ['a', 'x'.repeat(128), 'a b', 'ü'];
  for (const name of names) {
    const { tokens } = await parseTokenFile(entry(name), 'f');
    t.is(tokens[0]?.name, name);
  }
  for (const name of ['', 'x'.repeat(129), ' a', 'a ', 'a\tb', 'a\u200b'])
    await t.throwsAsync(
      parseTokenFile(entry(name), 'f'),
      { message: /^f:1: \[0\]\.name: / },
      JSON.stringify(name),
    );
  for (const calls of [1, 1_000_000_000]) {
    const { tokens } = await parseTokenFile(entry('a', `  quotas: { calls: ${calls} }\n`), 'f');
    t.deepEqual(tokens[0]?.quotas, { calls });
  }
  for (const calls of ['0', '1000000001', '1.5', '"2"'])
    await t.throwsAsync(parseTokenFile(entry('a', `  quotas: { calls: ${calls} }\n`), 'f'), {
      message: /quotas\.calls: expected/,
    });
  await t.throwsAsync(parseTokenFile(entry('a', '  quotas: { memory: none }\n'), 'f'), {
    message: /expected a number of bytes/,
  });
});

test('a hash has 64 digits', async (t) => {
  for (const hash of [HASH.slice(1), `${HASH}0`, `${HASH.slice(1)}g`])
    await t.throwsAsync(parseTokenFile(`- name: a\n  sha256: "${hash}"\n`, 'f'), {
      message: /64 hexadecimal digits/,
    });
});
