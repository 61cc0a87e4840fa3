import test, { type ExecutionContext } from 'ava';
import type { CodegenPoolOptions } from '../../src/codegen/codegen-options.js';
import { CodegenPool } from '../../src/codegen/codegen-pool.js';

/** A pool of one process, unless said otherwise, which ends with the test. */
export function poolOf(t: ExecutionContext, options: CodegenPoolOptions = {}): CodegenPool {
  const pool = new CodegenPool({ size: 1, ...options });
  t.teardown(() => pool.stop());
  return pool;
}

/** A pool of one process on this libLLVM, for all tests of a file: to start one for each takes longer than they do. */
export function sharedPool(libLLVM: string): CodegenPool {
  const pool = new CodegenPool({ size: 1, libLLVM: () => libLLVM });
  test.after.always(() => pool.stop());
  return pool;
}
