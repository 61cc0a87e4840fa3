import type * as v from 'valibot';
import {
  type Document,
  isAlias,
  isCollection,
  isMap,
  isScalar,
  LineCounter,
  type Node,
  parseDocument,
} from 'yaml';
import { checkSettings, type Key, SettingsError } from './settings.js';

/**
 * Reads YAML or JSON, which YAML includes, as `schema` declares it.
 * @param path for messages only.
 * @throws {SettingsError} with `PATH:LINE: key: what is wrong`, of everything that is.
 */
export function parseSettings<S extends v.GenericSchema>(
  text: string,
  path: string,
  schema: S,
): v.InferOutput<S> {
  const lines = new LineCounter();
  // `yaml` counts a byte order mark as a column.
  const document = parseDocument(text.replace(/^\ufeff/, ''), { lineCounter: lines, prettyErrors: false });
  const at = (offset: number | undefined) =>
    offset === undefined ? path : `${path}:${lines.linePos(offset).line}`;
  const [error] = document.errors;
  if (error) throw new SettingsError(`${at(error.pos[0])}: ${error.message}`);
  return checkSettings(contentOf(document, path), schema, (keys) => at(offsetOf(document.contents, keys)));
}

/** A file of nothing but comments sets nothing. @throws {SettingsError} when its aliases make too much of it. */
function contentOf(document: Document, path: string): unknown {
  if (document.contents === null) return {};
  try {
    return document.toJS();
  } catch (cause) {
    throw new SettingsError(`${path}: ${cause instanceof Error ? cause.message : String(cause)}`);
  }
}

/** Where a value begins; of one that is missing, where what should hold it does. */
function offsetOf(node: unknown, [key, ...rest]: readonly Key[]): number | undefined {
  if (!isNode(node)) return undefined;
  const own = node.range?.[0];
  if (key === undefined || isAlias(node)) return own;
  if (isMap(node)) {
    const pair = node.items.find((item) => isScalar(item.key) && String(item.key.value) === String(key));
    if (!pair) return own;
    const keyOffset = isScalar(pair.key) ? pair.key.range?.[0] : undefined;
    return rest.length === 0 ? (keyOffset ?? own) : (offsetOf(pair.value, rest) ?? keyOffset ?? own);
  }
  return (isCollection(node) ? offsetOf(node.get(key, true), rest) : undefined) ?? own;
}

function isNode(value: unknown): value is Node {
  return isCollection(value) || isScalar(value) || isAlias(value);
}
