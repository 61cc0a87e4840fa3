import { createHash } from 'node:crypto';
import { renderCheck, renderHeader } from './shared-layout-c.mjs';
import { renderTwin } from './shared-layout-ts.mjs';

const SCALARS = {
  u8: { c: 'uint8_t', sizeBytes: 1 },
  u16: { c: 'uint16_t', sizeBytes: 2 },
  u32: { c: 'uint32_t', sizeBytes: 4 },
  u64: { c: 'uint64_t', sizeBytes: 8 },
  i32: { c: 'int32_t', sizeBytes: 4 },
  char: { c: 'char', sizeBytes: 1 },
};
const TYPE =
  /^(?<atomic>atomic )?(?:struct (?<struct>\w+)|(?<scalar>\w+))(?:\[(?<length>\w*)\])?(?: align (?<align>\d+))?$/;

/**
 * What a description of a shared layout is written into.
 * @param {string} about what both sides should know, as prose.
 * @param {readonly object[]} description see packages/executor/shared-layout.mjs.
 * @returns {{ header: string, check: string, twin: string }} C declarations, C assertions, TypeScript.
 * @throws {Error} for types and lengths that are not described before they are used.
 */
export function renderSharedLayout(about, description) {
  const entries = layOut(description);
  const version = versionOf(entries);
  return {
    header: renderHeader(about, entries, version),
    check: renderCheck(entries),
    twin: renderTwin(about, entries, version),
  };
}

/** Adds offsets and sizes by the rules of C. The check that is rendered of them holds them against a compiler's. */
function layOut(description) {
  const lengths = new Map([['', 0]]);
  const structs = new Map();
  return description.map((entry) => {
    for (const [name, [value]] of Object.entries(entry.constants ?? {})) lengths.set(name, value);
    if (!entry.struct) return entry;
    let sizeBytes = 0;
    let alignBytes = 1;
    const rows = entry.fields.map((row) => {
      if (typeof row === 'string') return row;
      const [name, type, comment] = row;
      const field = fieldOf(name, type, structs, lengths);
      const offset = alignUp(sizeBytes, field.alignBytes);
      sizeBytes = offset + field.sizeBytes;
      alignBytes = Math.max(alignBytes, field.alignBytes);
      return { name, type, comment, offset, declaration: field.declaration };
    });
    sizeBytes = alignUp(sizeBytes, alignBytes);
    structs.set(entry.struct, { c: `struct farjit_${entry.struct}`, sizeBytes, alignBytes });
    return { ...entry, rows, fields: rows.filter((row) => typeof row !== 'string'), sizeBytes };
  });
}

function fieldOf(name, type, structs, lengths) {
  const { atomic, struct, scalar, length, align } = TYPE.exec(type)?.groups ?? {};
  const one = struct ? structs.get(struct) : SCALARS[scalar];
  const count = length === undefined ? 1 : lengths.get(length);
  if (!one || count === undefined) throw new Error(`the shared layout has no type ${type} before ${name}`);
  const before = `${align ? `_Alignas(${align}) ` : ''}${atomic ? '_Atomic ' : ''}${one.c}`;
  const after = length === undefined ? '' : `[${length && `FARJIT_${length}`}]`;
  return {
    sizeBytes: one.sizeBytes * count,
    alignBytes: Math.max(one.alignBytes ?? one.sizeBytes, Number(align ?? 1)),
    declaration: `${before} ${name}${after};`,
  };
}

function alignUp(value, alignment) {
  return Math.ceil(value / alignment) * alignment;
}

/** Of names, numbers, types and offsets, and not of words: it is the same for sides that mean the same. */
function versionOf(entries) {
  const meant = entries.map((entry) => ({
    values: Object.entries(entry.constants ?? entry.values ?? {}).map(([name, [value]]) => [name, value]),
    fields: entry.fields?.map(({ name, type, offset }) => [name, type, offset]),
    name: entry.enum ?? entry.struct,
    sizeBytes: entry.sizeBytes,
  }));
  return createHash('sha256').update(JSON.stringify(meant)).digest().readUInt32LE();
}
