import * as v from 'valibot';
import { request } from './declare.js';
import { executorAddr, symbolName } from './primitives.js';

/** Names one lookup may ask for. */
export const MAX_LOOKUP_NAMES = 4096;

/**
 * Addresses of symbols linked into the runner (libc, libm, and of the libraries that were asked for), in the order asked; 0
 * for a name that does not exist.
 */
export const lookupSymbols = request('lookupSymbols', 'compiler-to-executor', {
  params: v.strictObject({
    names: v.pipe(v.array(symbolName), v.minLength(1), v.maxLength(MAX_LOOKUP_NAMES)),
  }),
  result: v.strictObject({ addresses: v.array(executorAddr) }),
});

/**
 * The TLS index of thread-local variables of loaded libraries, in the order asked: the module ID and the offset that
 * `__tls_get_addr` takes, the same for all threads. The module is 0 for a name that is not a thread-local variable.
 */
export const lookupThreadLocals = request('lookupThreadLocals', 'compiler-to-executor', {
  feature: 'thread-locals',
  params: v.strictObject({
    names: v.pipe(v.array(symbolName), v.minLength(1), v.maxLength(MAX_LOOKUP_NAMES)),
  }),
  result: v.strictObject({
    variables: v.array(v.strictObject({ module: executorAddr, offset: executorAddr })),
  }),
});
