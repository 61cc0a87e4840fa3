import { setTimeout as delay } from 'node:timers/promises';
import { type IRTransform, KaleidoscopeJIT, type KaleidoscopeJITOptions } from '@farjit/compiler';
import type { ExecutionContext } from 'ava';
import { gate } from '#compiler/test/gate.js';

/** A JIT on an executor of its own, closed with the test, and what its program prints. */
export async function openJIT(
  t: ExecutionContext,
  options: KaleidoscopeJITOptions = {},
): Promise<{ jit: KaleidoscopeJIT; printed: () => string }> {
  let text = '';
  const jit = await KaleidoscopeJIT.create({
    onOutput: (_stream, content) => {
      text += Buffer.from(content).toString();
    },
    ...options,
  });
  t.teardown(() => jit.close());
  return { jit, printed: () => text };
}

/** Lets compilations of some units wait until the test has seen what it wants to see. */
export function holdCompilations(isHeld: (name: string) => boolean) {
  const { wait, reached, open } = gate();
  const transform: IRTransform = async (bitcode, { name }) => {
    if (isHeld(name)) await wait();
    return bitcode;
  };
  return { reached, open, transforms: [transform] };
}

/** The values of a source's expressions; a failed one fails the test. */
export async function evaluateAll(jit: KaleidoscopeJIT, source: string): Promise<number[]> {
  const results = await jit.addSource(source);
  return results.map((result) => {
    if (result.status === 'rejected') throw result.reason;
    return result.value;
  });
}

/** Asks until the answer is yes; the bound is far beyond what any of it takes, on a busy machine too. */
export async function eventually(
  condition: () => boolean | Promise<boolean>,
  what: string,
  timeoutMs = 60_000,
): Promise<void> {
  for (const endMs = Date.now() + timeoutMs; Date.now() < endMs; ) {
    if (await condition()) return;
    await delay(5);
  }
  throw new Error(`still not so after ${timeoutMs} ms: ${what}`);
}
