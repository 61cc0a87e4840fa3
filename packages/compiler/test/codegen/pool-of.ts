import type { ExecutionContext } from 'ava';
import { CodegenPool, type CodegenPoolOptions } from '../../src/codegen/codegen-pool.js';

/** A pool of one process, unless said otherwise, which ends with the test. */
export function poolOf(t: ExecutionContext, options: CodegenPoolOptions = {}): CodegenPool {
  const pool = new CodegenPool({ size: 1, ...options });
  t.teardown(() => pool.stop());
  return pool;
}
