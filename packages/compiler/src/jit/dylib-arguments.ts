import { PROGRAM_OPTION_SCHEMAS } from '../calls/call-arguments.js';
import { nameText, optionsOf } from '../core/arguments.js';
import type { EntryOptions } from './dylib-types.js';

export const ENTRY_OPTIONS = optionsOf<EntryOptions>({ ...PROGRAM_OPTION_SCHEMAS, entry: nameText });
