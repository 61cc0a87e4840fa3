import { comment, GENERATED, hex, LAYOUT_MAGIC, VERSION_COMMENT } from './shared-layout-words.mjs';

const C = ['/*', ' *'];
const COLUMNS = 120;
const TAB_COLUMNS = 8;

/** Declarations, with all comments. */
export function renderHeader(about, entries, version) {
  const parts = entries.map(
    (entry) => `${entry.comment ? comment(entry.comment, C) : ''}${declaration(entry)}`,
  );
  return `${comment(`${about}\n\n${GENERATED}`, C)}#ifndef FARJIT_SHARED_LAYOUT_H
#define FARJIT_SHARED_LAYOUT_H

#include <stdatomic.h>
#include <stdint.h>

#define FARJIT_LAYOUT_MAGIC ${hex(LAYOUT_MAGIC)}u
${comment(VERSION_COMMENT, C)}#define FARJIT_LAYOUT_VERSION ${hex(version)}u

${parts.join('\n')}
#endif
`;
}

/** A source file that compiles only where the compiler lays out everything as it was computed. */
export function renderCheck(entries) {
  const structs = entries.filter(({ struct }) => struct);
  const parts = structs.map(({ struct, fields, sizeBytes }) => {
    const places = fields.map(({ name, offset }) => `AT(farjit_${struct}, ${name}, ${offset});\n`);
    return `${places.join('')}SIZE(farjit_${struct}, ${sizeBytes});\n`;
  });
  return `${comment(`The layout that the host counts on, held against the compiler's.\n\n${GENERATED}`, C)}#include "shared_layout.h"

#include <stddef.h>

#define AT(type, field, offset)                                                                                        \\
	_Static_assert(offsetof(struct type, field) == (offset), #type "." #field " is not where the host has it")
#define SIZE(type, bytes) _Static_assert(sizeof(struct type) == (bytes), #type " is not as long as the host has it")

_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "the host writes little-endian numbers");

${parts.join('\n')}`;
}

function declaration({ constants, values, prefix, enum: name, struct, rows }) {
  if (constants) return `enum {\n${enumerators(constants, '')}};\n`;
  if (values) return `enum farjit_${name} {\n${enumerators(values, `${prefix}_`)}};\n`;
  const lines = rows.map((row) =>
    typeof row === 'string' ? comment(row, C, '\t') : commented(row.declaration, row.comment),
  );
  return `struct farjit_${struct} {\n${lines.join('')}};\n`;
}

function enumerators(values, prefix) {
  return Object.entries(values)
    .map(([name, [value, words]]) => commented(`FARJIT_${prefix}${name} = ${value},`, words))
    .join('');
}

/** With its comment behind it, or above where the line would be too long. */
function commented(code, words) {
  if (!words) return `\t${code}\n`;
  const line = `${code} /* ${words} */`;
  return TAB_COLUMNS + line.length <= COLUMNS ? `\t${line}\n` : `${comment(words, C, '\t')}\t${code}\n`;
}
