import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseAllDocuments } from 'yaml';

/** The repository. */
export const ROOT = fileURLToPath(new URL('../../../', import.meta.url));

/** A mapping of a YAML file. */
export type Mapping = { readonly [key: string]: unknown };

/**
 * The documents of a YAML file, aliases and merge keys resolved.
 * @throws {Error} for a file that is not YAML, and for a document that is no mapping.
 */
export function readYaml(path: string): Mapping[] {
  const text = readFileSync(join(ROOT, path), 'utf8');
  return parseAllDocuments(text, { merge: true, uniqueKeys: true }).map((document) => {
    for (const problem of [...document.errors, ...document.warnings])
      throw new Error(`${path}: ${problem.message}`);
    return asMapping(document.toJS(), path);
  });
}

/** @throws {Error} when it is none. */
export function asMapping(value: unknown, what: string): Mapping {
  if (typeof value !== 'object' || value === null || Array.isArray(value))
    throw new Error(`${what} is no mapping`);
  return value as Mapping;
}

/** What is at a path of keys. @throws {Error} when there is nothing. */
export function at(mapping: Mapping, ...keys: readonly (string | number)[]): unknown {
  let value: unknown = mapping;
  for (const key of keys) {
    if (typeof value !== 'object' || value === null || !(key in value))
      throw new Error(`there is no ${keys.join('.')}`);
    value = (value as Record<string | number, unknown>)[key];
  }
  return value;
}

/** Every Kubernetes manifest, the templates of secrets included; kustomizations are no manifests. */
export function manifestPaths(): string[] {
  const folder = 'deploy/kubernetes';
  return readdirSync(join(ROOT, folder))
    .filter((name) => name.endsWith('.yaml') && name !== 'kustomization.yaml')
    .map((name) => join(folder, name));
}
