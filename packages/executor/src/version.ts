/** Version of this package. */
export const VERSION = '0.1.0';
/** How the executor calls itself when a session is opened. */
export const SERVER_NAME = `farjit-executor ${VERSION}`;
