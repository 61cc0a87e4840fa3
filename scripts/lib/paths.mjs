import { fileURLToPath } from 'node:url';

/** The repository's root, with a slash at the end. */
export const ROOT = fileURLToPath(new URL('../../', import.meta.url));
/** Where npm puts the commands of the dependencies. */
export const BIN = `${ROOT}node_modules/.bin/`;
