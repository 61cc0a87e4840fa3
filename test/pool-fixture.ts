import { CodegenPool, connectExecutors, type ExecutorPool, type ExecutorPoolOptions } from '@farjit/compiler';
import type { ExecutionContext } from 'ava';

/** A pool, closed with the test. */
export async function openPool(
  t: ExecutionContext,
  urls: readonly string[],
  options: ExecutorPoolOptions = {},
): Promise<ExecutorPool> {
  const pool = await connectExecutors(urls, { speculate: 'off', ...options });
  t.teardown(() => pool.close());
  return pool;
}

/** Code generators that count what each is asked for, by target. */
export class CountingCodegen extends CodegenPool {
  /** Modules compiled, as `name for features`. */
  readonly compiled: string[] = [];

  /** Modules that were read. */
  readCount = 0;

  override readModule(
    ...input: Parameters<CodegenPool['readModule']>
  ): ReturnType<CodegenPool['readModule']> {
    this.readCount++;
    return super.readModule(...input);
  }

  override compile(input: Parameters<CodegenPool['compile']>[0]): ReturnType<CodegenPool['compile']> {
    this.compiled.push(`${input.name} for ${input.target.cpuFeatures || 'baseline'}`);
    return super.compile(input);
  }
}

export function countingCodegen(t: ExecutionContext): CountingCodegen {
  const codegen = new CountingCodegen();
  t.teardown(() => codegen.stop());
  return codegen;
}

/** `count` doubles, each different. */
export function doubles(count: number): Float64Array {
  return Float64Array.from({ length: count }, (_, index) => index / 8 - 100);
}
