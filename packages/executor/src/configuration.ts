import { readTrustedFile } from '@farjit/protocol/file-trust';
import type * as v from 'valibot';
import {
  OPTION_NAMES,
  OPTIONS,
  type OptionValues,
  optionsSchema,
  valueOfText,
  variableOf,
} from './options.js';
import { checkSettings, SettingsError } from './settings.js';

/**
 * What the options are by the configuration file and the variables, of which the latter count more. Of a mapping such as
 * `limit` each entry counts for itself.
 * @param path of the file, if there is one.
 * @throws {SettingsError} that names variable or file, line and key.
 */
export async function readConfiguration(
  path: string | undefined,
  variables: NodeJS.ProcessEnv,
): Promise<OptionValues> {
  const fromFile = path === undefined ? {} : await readFile(path);
  return mergeOptions(fromFile, readVariables(variables));
}

/** Values of `more` instead of those of `values`, except that mappings are joined. */
export function mergeOptions(values: OptionValues, more: OptionValues): OptionValues {
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
