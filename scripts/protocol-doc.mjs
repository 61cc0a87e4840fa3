// node scripts/protocol-doc.mjs [--check]: writes docs/protocol.md from the declarations in packages/protocol (built
// before) and the prose in scripts/protocol-doc.md; with --check only says whether it is up to date.
import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { readDocComments } from './lib/doc-comments.mjs';
import { BIN, ROOT } from './lib/paths.mjs';
import { runScript, ScriptError, say } from './lib/report.mjs';
import { SchemaWords } from './lib/schema-words.mjs';

const PACKAGE = `${ROOT}packages/protocol/`;
const TARGET = `${ROOT}docs/protocol.md`;
/** In the order of the document. */
const MESSAGE_MODULES = [
  'session',
  'memory',
  'symbols',
  'indirection',
  'run',
  'host-functions',
  'files',
  'observation',
  'objects',
];
const LIMIT_MODULES = [
  'codec',
  'websocket-transport',
  'msgpack-decoder',
  'link',
  'send-window',
  'handled-requests',
  'admission',
  'messages/primitives',
  ...MESSAGE_MODULES.map((name) => `messages/${name}`),
];

await runScript(async () => {
  const text = format(await renderDocument());
  if (!process.argv.includes('--check')) {
    writeFileSync(TARGET, text);
    return say(`wrote ${TARGET}`);
  }
  if (!existsSync(TARGET) || readFileSync(TARGET, 'utf8') !== text)
    throw new ScriptError('docs/protocol.md does not say what the declarations say', [
      'Run: npm run build && node scripts/protocol-doc.mjs',
    ]);
});

/** As the checks want it. */
function format(markdown) {
  const args = ['format', '--stdin-file-path=docs/protocol.md'];
  return execFileSync(`${BIN}biome`, args, { cwd: ROOT, input: markdown, encoding: 'utf8' });
}

async function renderDocument() {
  const modules = await Promise.all(
    ['primitives', ...MESSAGE_MODULES].map((name) => loadModule(`messages/${name}`)),
  );
  const names = new Map(modules.flatMap(({ schemas }) => schemas.map(({ name, schema }) => [schema, name])));
  const parts = {
    messages: modules.flatMap((module) =>
      module.messages.flatMap((message) => renderMessage(message, names)),
    ),
    types: modules.flatMap(({ schemas }) => schemas.flatMap((named) => renderType(named, names))),
    'error codes': renderErrorCodes(),
    features: await renderFeatures(),
    limits: await renderLimits(),
  };
  const template = readFileSync(`${ROOT}scripts/protocol-doc.md`, 'utf8');
  return template.replace(
    /<!-- ([\w ]+) -->/g,
    (whole, part) =>
      parts[part]
        ?.join('\n')
        .replace(/\n{3,}/g, '\n\n')
        .trim() ?? whole,
  );
}

/** A module's messages and schemas in the order of its source, each with its comments. */
async function loadModule(name) {
  const source = readFileSync(`${PACKAGE}src/${name}.ts`, 'utf8');
  const exported = await import(`${PACKAGE}dist/src/${name}.js`);
  const comments = readDocComments(source);
  const inOrder = Object.entries(exported)
    .map(([key, value]) => ({
      name: key,
      value,
      comment: comments.get(key) ?? { text: '', fields: new Map() },
    }))
    .sort((a, b) => source.indexOf(`export const ${a.name} `) - source.indexOf(`export const ${b.name} `));
  const ofKind = (test) =>
    inOrder.filter(({ value }) => typeof value === 'object' && value !== null && test(value));
  return {
    messages: ofKind((value) => 'method' in value).map(({ value, comment }) => ({ message: value, comment })),
    schemas: ofKind((value) => value.kind === 'schema').map(({ name, value, comment }) => ({
      name,
      schema: value,
      comment,
    })),
    constants: inOrder.filter(({ name, value }) => /^MAX_/.test(name) && typeof value === 'number'),
  };
}

function renderMessage({ message, comment }, names) {
  const [from, to] = message.direction.split('-to-');
  const words = new SchemaWords(names);
  const part = (title, schema) => {
    const type = words.type(schema);
    const fields = names.has(schema) ? [] : words.fields(schema, comment.fields);
    return fields.length > 0 ? [`${title}:`, '', ...fields, ''] : [`${title}: ${type}`, ''];
  };
  return [
    `### ${message.method}`,
    '',
    `${message.kind === 'request' ? 'Request' : 'Notification'}, ${from} → ${to}.`,
    '',
    ...(message.feature ? [`Feature \`${message.feature}\`.`, ''] : []),
    comment.text,
    '',
    ...part('Params', message.params),
    ...(message.kind === 'request' ? part('Result', message.result) : []),
  ];
}

function renderType({ name, schema, comment }, names) {
  const others = new Map([...names].filter(([other]) => other !== schema));
  const words = new SchemaWords(others);
  const type = words.type(schema);
  const fields = words.fields(schema, comment.fields);
  return [
    `### ${name}`,
    '',
    comment.text,
    '',
    type[0].toUpperCase() + type.slice(1) + (fields.length > 0 ? '' : '.'),
    '',
    ...fields,
    '',
  ];
}

function renderErrorCodes() {
  const source = readFileSync(`${PACKAGE}src/errors.ts`, 'utf8');
  const { fields } = readDocComments(source).get('WireErrorCode') ?? {};
  if (!fields || fields.size === 0) throw new Error('errors.ts declares no WireErrorCode');
  return [
    '| Code | When |',
    '| --- | --- |',
    ...[...fields].map(([code, text]) => `| \`${code}\` | ${text} |`),
  ];
}

async function renderFeatures() {
  const { FEATURES } = await import(`${PACKAGE}dist/src/features.js`);
  return [
    '| Feature | What it is |',
    '| --- | --- |',
    ...Object.entries(FEATURES).map(([name, words]) => `| \`${name}\` | ${words} |`),
  ];
}

async function renderLimits() {
  const modules = await Promise.all(LIMIT_MODULES.map(loadModule));
  const rows = modules.flatMap(({ constants }) =>
    constants.map(
      ({ name, value, comment }) => `| \`${name}\` | ${value.toLocaleString('en')} | ${comment.text} |`,
    ),
  );
  return ['| Name | Value | What it bounds, and why so much |', '| --- | --: | --- |', ...rows];
}
