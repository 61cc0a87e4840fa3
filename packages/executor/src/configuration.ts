import { readTrustedFile } from '@farjit/protocol/file-trust';
import type * as v from 'valibot';
import {
  OPTION_NAMES,
  OPTIONS,
  type OptionName,
  type OptionValues,
  optionsSchema,
  valueOfText,
  variableOf,
} from './options.js';
import { checkSettings, SettingsError } from './settings.js';

/** What one place says of the options. */
export interface OptionLayer {
  readonly values: OptionValues;
  /** Where an option's value stands, in words. */
  readonly placeOf: (name: OptionName) => string;
}

/**
 * What configuration file and variables say of the options; the latter count more.
 * @param path of the file, if there is one.
 * @throws {SettingsError} that names variable or file, line and key.
 */
export async function readConfiguration(
  path: string | undefined,
  variables: NodeJS.ProcessEnv,
): Promise<OptionLayer[]> {
  const fromVariables = { values: readVariables(variables), placeOf: variableOf };
  if (path === undefined) return [fromVariables];
  return [{ values: await readFile(path), placeOf: () => path }, fromVariables];
}

/** What all of them say together, of which the last counts most. Of a mapping such as `limit` each entry counts for itself. */
export function mergeLayers(layers: readonly OptionLayer[]): OptionValues {
  return layers.reduce<OptionValues>((merged, { values }) => mergeOptions(merged, values), {});
}

/** Values of `more` instead of those of `values`, except that mappings are joined. */
function mergeOptions(values: OptionValues, more: OptionValues): OptionValues {
  const limit = values.limit && more.limit ? { ...values.limit, ...more.limit } : undefined;
  return { ...values, ...more, ...(limit && { limit }) };
}

function readVariables(variables: NodeJS.ProcessEnv): OptionValues {
  const values: Record<string, unknown> = {};
  for (const name of OPTION_NAMES) {
    const variable = variableOf(name);
    const text = variables[variable];
    // As if it were not there: what a shell or a compose file makes of a variable that nobody set.
    if (text === undefined || text.trim() === '') continue;
    const { form, schema } = OPTIONS[name];
    const isMany = form === 'list' || form === 'limits';
    let value: unknown;
    for (const part of isMany ? text.trim().split(/\s+/) : [text.trim()])
      value = valueOfText(form, part, value);
    values[name] = checkSettings(value, schema as v.GenericSchema, () => variable);
  }
  return values as OptionValues;
}

async function readFile(path: string): Promise<OptionValues> {
  let text: string;
  try {
    text = readTrustedFile(path);
  } catch (cause) {
    throw new SettingsError(
      `cannot read the configuration: ${cause instanceof Error ? cause.message : String(cause)}`,
    );
  }
  const { parseSettings } = await import('./settings-file.js');
  return parseSettings(text, path, optionsSchema);
}
