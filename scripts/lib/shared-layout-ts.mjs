import { comment, GENERATED, hex, LAYOUT_MAGIC, VERSION_COMMENT } from './shared-layout-words.mjs';

const TS = ['/**', ' *'];

/** The same in TypeScript: constants, enums by their values, structures by offsets of their fields. */
export function renderTwin(about, entries, version) {
  return `${comment(`${about}\n\n${GENERATED}`, ['/*', ' *'])}
export const LAYOUT_MAGIC = ${hex(LAYOUT_MAGIC)};
${comment(VERSION_COMMENT, TS)}export const LAYOUT_VERSION = ${hex(version)};

${entries.map(declaration).join('\n')}`;
}

function declaration({ comment: words, constants, values, ts, enum: name, struct, fields, sizeBytes }) {
  if (constants) return `${words ? `${comment(words, ['/*', ' *'])}\n` : ''}${numbers(constants)}`;
  if (values) return `${about(`\`enum farjit_${name}\``, words)}${members(ts, Object.entries(values))}`;
  const offsets = fields.map((field) => [field.name, [field.offset, field.comment]]);
  const constant = struct.toUpperCase();
  return `${about(`\`struct farjit_${struct}\``, words)}${members(constant, offsets)}export const ${constant}_BYTES = ${sizeBytes};\n`;
}

function about(subject, words) {
  return comment(words ? `${subject}. ${words}` : `${subject}.`, TS);
}

function numbers(constants) {
  return Object.entries(constants)
    .map(([name, [value, words]]) => `${words ? comment(words, TS) : ''}export const ${name} = ${value};\n`)
    .join('');
}

function members(name, entries) {
  const lines = entries.map(
    ([key, [value, words]]) => `${words ? comment(words, TS, '  ') : ''}  ${camelCase(key)}: ${value},\n`,
  );
  return `export const ${name} = {\n${lines.join('')}} as const;\n`;
}

function camelCase(name) {
  return name.toLowerCase().replace(/_([a-z])/g, (_, letter) => letter.toUpperCase());
}
