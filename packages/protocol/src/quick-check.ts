import * as v from 'valibot';
import { asExecutorAddr } from './messages/primitives.js';

/** Whether a decoded value is exactly what a schema accepts, and comes out of it as it is. */
type Check = (value: unknown) => boolean;

/** Schemas that checks are made of, as valibot's own types describe them: they are told apart by their `type`. */
type KnownSchema =
  | v.StrictObjectSchema<v.ObjectEntries, undefined>
  | v.ObjectSchema<v.ObjectEntries, undefined>
  | v.RecordSchema<v.GenericSchema<string>, v.GenericSchema, undefined>
  | v.VariantSchema<string, v.VariantOptions<string>, undefined>
  | v.ArraySchema<v.GenericSchema, undefined>
  | v.StrictTupleSchema<v.TupleItems, undefined>
  | v.NullableSchema<v.GenericSchema, undefined>
  | v.OptionalSchema<v.GenericSchema, unknown>
  | v.EnumSchema<v.Enum, undefined>
  | v.PicklistSchema<v.PicklistOptions, undefined>
  | v.LiteralSchema<v.Literal, undefined>
  | v.BooleanSchema<undefined>
  | v.StringSchema<undefined>
  | v.NumberSchema<undefined>
  | v.BigintSchema<undefined>
  | v.CustomSchema<unknown, undefined>;

/** The same for what follows a schema in a pipe. */
type KnownAction =
  | v.SafeIntegerAction<number, undefined>
  | v.MinValueAction<number, number, undefined>
  | v.MaxValueAction<number, number, undefined>
  | v.MinLengthAction<string | unknown[], number, undefined>
  | v.MaxLengthAction<string | unknown[], number, undefined>
  | v.ExcludesAction<string, string, undefined>
  | v.RegexAction<string, undefined>
  | v.CheckAction<unknown, undefined>
  | v.TransformAction<unknown, unknown>;

type Pipe = v.SchemaWithPipe<readonly [v.GenericSchema, ...v.GenericPipeItem[]]>['pipe'];
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
  const parsed = v.safeParse(schema, withoutBytesForMaps(schema, value), {
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
    check = compile(schema) ?? (() => false);
    known.set(schema, check);
  }
  return check(value);
}

/**
 * The value with a single byte left of bytes where the schema has a map. Valibot would look for keys it does not know
 * among the indices of the bytes: seconds and gigabytes for a frame of a few megabytes.
 */
function withoutBytesForMaps(schema: v.GenericSchema, value: unknown): unknown {
  if (typeof value !== 'object' || value === null) return value;
  const base = baseOf(schema);
  if (base.type === 'nullable' || base.type === 'optional') return withoutBytesForMaps(base.wrapped, value);
  if (value instanceof Uint8Array) {
    const isMapSchema = ['object', 'strict_object', 'record', 'variant'].includes(base.type);
    return isMapSchema ? value.subarray(0, 1) : value;
  }
  if (Array.isArray(value)) {
    const itemAt = (index: number) =>
      base.type === 'array' ? base.item : base.type === 'strict_tuple' ? base.items[index] : undefined;
    return value.map((part, i) => withoutBytes(itemAt(i), part));
  }
  const entries = entriesOf(base, value);
  if (!entries) return value;
  return Object.fromEntries(
    Object.entries(value).map(([key, part]) => [
      key,
      withoutBytes(Object.hasOwn(entries, key) ? entries[key] : undefined, part),
    ]),
  );
}

function withoutBytes(schema: object | undefined, value: unknown): unknown {
  return schema ? withoutBytesForMaps(schema as v.GenericSchema, value) : value;
}

/** What is behind the schema and its actions, if it has been given any. */
function pipeOf(schema: v.GenericSchema): Pipe | undefined {
  return 'pipe' in schema ? (schema.pipe as Pipe) : undefined;
}

/** The schema at the bottom of pipes: any, of which those that are not known have no case. */
function baseOf(schema: v.GenericSchema): KnownSchema {
  const base = pipeOf(schema)?.[0];
  return base ? baseOf(base) : (schema as unknown as KnownSchema);
}

function entriesOf(base: KnownSchema, value: object): v.ObjectEntries | undefined {
  if (base.type === 'strict_object' || base.type === 'object') return base.entries;
  if (base.type !== 'variant') return undefined;
  const kind = (value as Record<string, unknown>)[base.key];
  for (const option of base.options) {
    const known = option as unknown as KnownSchema;
    if (known.type !== 'strict_object') continue;
    const tag = known.entries[base.key] as KnownSchema | undefined;
    if (tag?.type === 'literal' && tag.literal === kind) return known.entries;
  }
  return undefined;
}

function isMap(value: unknown): value is Record<string, unknown> {
  return (
    typeof value === 'object' && value !== null && !Array.isArray(value) && !(value instanceof Uint8Array)
  );
}

/** Undefined for a schema with a part that is not understood. */
function compile(schema: object): Check | undefined {
  const [base, ...actions] = pipeOf(schema as v.GenericSchema) ?? [];
  if (!base) return compileBase(schema as KnownSchema);
  return allOf([compile(base), ...actions.map((action) => compileAction(action as unknown as KnownAction))]);
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

function compileBase(node: KnownSchema): Check | undefined {
  switch (node.type) {
    // With a field that it does not know, or without one that may be left out, a map does not come out as it is.
    case 'object':
    case 'strict_object':
      return compileObject(node.entries);
    case 'array': {
      const item = compile(node.item);
      return item && ((value) => Array.isArray(value) && value.every(item));
    }
    case 'strict_tuple': {
      const items = node.items.map(compile);
      if (items.includes(undefined)) return undefined;
      return (value) =>
        Array.isArray(value) && value.length === items.length && items.every((item, i) => item?.(value[i]));
    }
    case 'optional':
      return compile(node.wrapped);
    case 'nullable': {
      const wrapped = compile(node.wrapped);
      return wrapped && ((value) => value === null || wrapped(value));
    }
    case 'variant': {
      const options = node.options.map(compile);
      if (options.includes(undefined)) return undefined;
      return (value) => options.some((option) => option?.(value));
    }
    case 'enum':
    case 'picklist': {
      const options: readonly unknown[] = node.options;
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
function compileObject(entries: v.ObjectEntries): Check | undefined {
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

function compileAction(node: KnownAction): Check | undefined {
  switch (node.type) {
    case 'safe_integer':
      return Number.isSafeInteger;
    case 'min_value':
      return (value) => (value as number) >= node.requirement;
    case 'max_value':
      return (value) => (value as number) <= node.requirement;
    case 'min_length':
      return (value) => (value as string | unknown[]).length >= node.requirement;
    case 'max_length':
      return (value) => (value as string | unknown[]).length <= node.requirement;
    case 'excludes':
      return (value) => !(value as string).includes(node.requirement);
    case 'regex':
      return (value) => node.requirement.test(value as string);
    case 'check':
      return node.requirement;
    case 'transform':
      return node.operation === asExecutorAddr ? () => true : undefined;
    default:
      return undefined;
  }
}
