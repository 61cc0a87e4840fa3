import { COMMAND_MODES } from './command.js';
import { PEER_MODES } from './peers.js';
import { describeMode, MODES } from './program.js';

/** FarJIT's, by the library. */
export const OWN_COLUMNS: readonly string[] = MODES.map(describeMode);

/** Every way in which programs are run, in a document's order. */
export const COLUMNS: readonly string[] = [...OWN_COLUMNS, ...COMMAND_MODES, ...PEER_MODES];
