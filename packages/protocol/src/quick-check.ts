import * as v from 'valibot';
import { asExecutorAddr } from './messages/primitives.js';

/** Whether a decoded value is exactly what a schema accepts, and comes out of it as it is. */
type Check = (value: unknown) => boolean;

/** The parts of valibot's schema and action objects that checks are made of. */
interface Node {
  readonly kind: string;
  readonly type: string;
  readonly pipe?: readonly Node[];
  readonly entries?: Readonly<Record<string, Node>>;
  readonly item?: Node;
  readonly items?: readonly Node[];
  readonly wrapped?: Node;
  /** Of a variant: the entry that tells its options apart. */
  readonly key?: string;
  readonly options?: readonly unknown[];
  readonly literal?: unknown;
  readonly requirement?: unknown;
  readonly operation?: unknown;
  readonly check?: (value: unknown) => boolean;
}

type Schema<T> = v.GenericSchema<unknown, T>;

const known = new WeakMap<Schema<unknown>, Check>();

/**
 * What `v.safeParse` answers, except that a value which fits is answered itself and not a copy of it.
 *
 * Checks made from the schema decide first: valibot's way through one costs many times as much, above all in a process
 * that has just started. They say no to whatever does not fit or is not understood; then the schema itself, which stays
 * the declaration, decides and says what is wrong.
 */
export function parseValue<T>(
  schema: Schema<T>,
  value: unknown,
): { success: true; output: T } | { success: false; issues: readonly v.BaseIssue<unknown>[] } {
  if (fitsSchema(schema, value)) return { success: true, output: value as T };
  // The first mistake says enough; a hostile message may hold a hundred thousand.
  const parsed = v.safeParse(schema, withoutBytesForMaps(schema as unknown as Node, value), {
    abortEarly: true,
  });
  return parsed.success
    ? { success: true, output: parsed.output }
    : { success: false, issues: parsed.issues };
}

/** True only for a value that the schema accepts as it is; false says nothing. */
export function fitsSchema(schema: Schema<unknown>, value: unknown): boolean {
  let check = known.get(schema);
  if (!check) {
    check = compile(schema as unknown as Node) ?? (() => false);
    known.set(schema, check);
  }
  return check(value);
}

/**
 * The value with a single byte left of bytes where the schema has a map. Valibot would look for keys it does not know
 * among the indices of the bytes: seconds and gigabytes for a frame of a few megabytes.
 */
function withoutBytesForMaps(node: Node, value: unknown): unknown {
  if (typeof value !== 'object' || value === null) return value;
  const schema = schemaOf(node);
  const isBytes = value instanceof Uint8Array;
  switch (schema.type) {
    case 'strict_object':
    case 'record':
    case 'variant':
      if (isBytes) return value.subarray(0, 1);
      break;
    case 'nullable':
      return schema.wrapped ? withoutBytesForMaps(schema.wrapped, value) : value;
  }
  if (isBytes) return value;
  if (Array.isArray(value)) {
    const { item, items } = schema;
    return value.map((part, i) => {
      const inner = item ?? items?.[i];
      return inner ? withoutBytesForMaps(inner, part) : part;
    });
  }
  const entries = schema.type === 'variant' ? entriesOfVariant(schema, value) : schema.entries;
  if (!entries) return value;
  return Object.fromEntries(
    Object.entries(value).map(([key, part]) => {
      const inner = Object.hasOwn(entries, key) ? entries[key] : undefined;
      return [key, inner ? withoutBytesForMaps(inner, part) : part];
    }),
  );
}

/** The schema at the bottom of pipes. */
function schemaOf(node: Node): Node {
  const base = node.pipe?.[0];
  return base && base !== node ? schemaOf(base) : node;
}

function entriesOfVariant({ options = [], key = '' }: Node, value: object): Node['entries'] {
  const chosen = options.find(
    (option) => (option as Node).entries?.[key]?.literal === (value as Record<string, unknown>)[key],
  );
  return (chosen as Node | undefined)?.entries;
}

function isMap(value: unknown): value is Record<string, unknown> {
  return (
    typeof value === 'object' && value !== null && !Array.isArray(value) && !(value instanceof Uint8Array)
  );
}

/** Undefined for a schema with a part that is not understood. */
function compile(node: Node): Check | undefined {
  const [base, ...actions] = node.pipe ?? [node];
  if (!base) return undefined;
  const checks: (Check | undefined)[] = [base.pipe && base !== node ? compile(base) : compileBase(base)];
  for (const action of actions) checks.push(compileAction(action));
  return allOf(checks);
}

function allOf(checks: readonly (Check | undefined)[]): Check | undefined {
  const [first, second, ...more] = checks;
  if (checks.includes(undefined) || !first) return undefined;
  if (!second) return first;
  if (more.length === 0) return (value) => first(value) && second(value);
  const all = checks as readonly Check[];
  return (value) => {
    for (const check of all) if (!check(value)) return false;
    return true;
  };
}

function compileBase(node: Node): Check | undefined {
  switch (node.type) {
    case 'strict_object':
      return compileObject(node.entries ?? {});
    case 'array': {
      const item = node.item && compile(node.item);
      return item && ((value) => Array.isArray(value) && value.every(item));
    }
    case 'strict_tuple': {
      const items = (node.items ?? []).map(compile);
      if (items.includes(undefined)) return undefined;
      return (value) =>
        Array.isArray(value) && value.length === items.length && items.every((item, i) => item?.(value[i]));
    }
    case 'nullable': {
      const wrapped = node.wrapped && compile(node.wrapped);
      return wrapped && ((value) => value === null || wrapped(value));
    }
    case 'variant': {
      const options = (node.options ?? []).map((option) => compile(option as Node));
      if (options.includes(undefined)) return undefined;
      return (value) => options.some((option) => option?.(value));
    }
    case 'enum':
    case 'picklist': {
      const options = node.options ?? [];
      return (value) => options.includes(value);
    }
    case 'literal':
      return (value) => value === node.literal;
    case 'boolean':
      return (value) => typeof value === 'boolean';
    case 'string':
      return (value) => typeof value === 'string';
    case 'number':
      return (value) => typeof value === 'number' && !Number.isNaN(value);
    case 'bigint':
      return (value) => typeof value === 'bigint';
    case 'custom':
      return node.check;
    default:
      return undefined;
  }
}

/** A decoded map has own enumerable properties only, so with as many keys as entries it has no others. */
function compileObject(entries: Readonly<Record<string, Node>>): Check | undefined {
  const keys = Object.keys(entries);
  const checks = Object.values(entries).map(compile);
  if (checks.includes(undefined)) return undefined;
  return (value) => {
    if (!isMap(value)) return false;
    let keyCount = 0;
    for (const _ in value) keyCount++;
    if (keyCount !== keys.length) return false;
    for (let i = 0; i < keys.length; i++) {
      const key = keys[i] ?? '';
      if (!Object.hasOwn(value, key) || !checks[i]?.((value as Record<string, unknown>)[key])) return false;
    }
    return true;
  };
}

function compileAction(node: Node): Check | undefined {
  const limit = node.requirement as number;
  const sizeOf = (value: unknown) => (value as string | unknown[]).length;
  switch (node.type) {
    case 'safe_integer':
      return Number.isSafeInteger;
    case 'min_value':
      return (value) => (value as number) >= limit;
    case 'max_value':
      return (value) => (value as number) <= limit;
    case 'min_length':
      return (value) => sizeOf(value) >= limit;
    case 'max_length':
      return (value) => sizeOf(value) <= limit;
    case 'excludes':
      return (value) => !(value as string).includes(node.requirement as string);
    case 'regex':
      return (value) => (node.requirement as RegExp).test(value as string);
    case 'check':
      return node.requirement as Check;
    case 'transform':
      return node.operation === asExecutorAddr ? () => true : undefined;
    default:
      return undefined;
  }
}
