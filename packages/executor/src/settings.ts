import { FarJITError } from '@farjit/protocol/errors';
import { nearestName } from '@farjit/protocol/nearest-name';
import * as v from 'valibot';

/**
 * A setting is not what it can be.
 * @remarks Mend the lines that the message lists.
 */
export class SettingsError extends FarJITError {
  constructor(message: string) {
    super('SETTINGS', message);
  }
}

/** A key of a mapping, or an index of a list. */
export type Key = string | number;

/**
 * A value as `schema` declares it.
 * @param placeOf where the value under these keys stands.
 * @throws {SettingsError} with `PLACE: key: what is wrong`, a line for each thing that is.
 */
export function checkSettings<S extends v.GenericSchema>(
  value: unknown,
  schema: S,
  placeOf: (keys: readonly Key[]) => string,
): v.InferOutput<S> {
  const parsed = v.safeParse(schema, value, { abortPipeEarly: true });
  if (parsed.success) return parsed.output;
  const words = parsed.issues.map((issue) => {
    const keys = (issue.path ?? []).map(({ key }) => key as Key);
    return [placeOf(keys), nameOf(keys), describe(issue)].filter((part) => part !== '').join(': ');
  });
  throw new SettingsError(words.join('\n'));
}

/** An object with these keys and no others. An unknown one is answered with the nearest that is known. */
export function settings<E extends v.ObjectEntries>(entries: E) {
  const known = Object.keys(entries);
  const schema = v.object(entries);
  return v.pipe(
    v.custom<Record<string, unknown>>(isMapping, 'expected keys with values'),
    // A pipe would not look at the values of known keys any more when it has found an unknown one.
    v.rawTransform(({ dataset: { value: input }, addIssue, NEVER }): v.InferOutput<typeof schema> => {
      const unknown = Object.keys(input).filter((key) => !known.includes(key));
      for (const key of unknown) {
        const nearest = nearestName(key, known);
        addIssue({
          message: `unknown key; ${nearest === undefined ? `there are ${known.join(', ')}` : `did you mean ${nearest}?`}`,
          path: [{ type: 'object', origin: 'key', input, key, value: input[key] }],
        });
      }
      const parsed = v.safeParse(schema, input, { abortPipeEarly: true });
      for (const issue of parsed.issues ?? []) addIssue({ message: describe(issue), path: issue.path });
      return parsed.success && unknown.length === 0 ? parsed.output : NEVER;
    }),
  );
}

function isMapping(value: unknown): boolean {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function describe(issue: v.BaseIssue<unknown>): string {
  return issue.received === 'undefined' ? 'is missing' : issue.message;
}

/** `tokens[0].name` */
function nameOf(keys: readonly Key[]): string {
  return keys
    .map((key, index) => (typeof key === 'number' ? `[${key}]` : index === 0 ? key : `.${key}`))
    .join('');
}
