import type { MessageType } from './declare.js';
import * as files from './files.js';
import * as hostFunctions from './host-functions.js';
import * as indirection from './indirection.js';
import * as memory from './memory.js';
import * as objects from './objects.js';
import * as observation from './observation.js';
import * as run from './run.js';
import * as session from './session.js';
import * as symbols from './symbols.js';

function isMessage(value: unknown): value is MessageType {
  return typeof value === 'object' && value !== null && 'method' in value && 'direction' in value;
}

/** Every message of the wire, for documentation and checks. */
export const MESSAGES: readonly MessageType[] = [
  session,
  memory,
  symbols,
  indirection,
  run,
  hostFunctions,
  files,
  objects,
  observation,
].flatMap((module) => Object.values(module).filter(isMessage));
