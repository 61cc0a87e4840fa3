import { createHash, createHmac } from 'node:crypto';
import { mkdtempSync, readdirSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { ExecutionContext } from 'ava';
import type { PackEntry, Seal } from '../../src/cache/pack.js';

/** A directory that goes away with the test. */
export function folder(t: ExecutionContext): string {
  const path = mkdtempSync(join(tmpdir(), 'farjit-cache-test-'));
  t.teardown(() => rmSync(path, { recursive: true, force: true }));
  return path;
}

/** Seals with a key that everybody knows. */
export const seal: Seal = (...parts) => {
  const hmac = createHmac('sha256', 'known');
  for (const part of parts) hmac.update(part);
  return hmac.digest();
};

/** Names of the packs in a directory. */
export function packsIn(path: string): string[] {
  return readdirSync(path).filter((name) => name.endsWith('.pack'));
}

/** A key like those of objects. */
export function keyOf(name: string | number): Uint8Array {
  return createHash('sha256').update(String(name)).digest();
}

/** Entry number `n`: its content says which one it is. */
export function entry(n: number, contentBytes = 20): PackEntry {
  const content = Buffer.alloc(contentBytes, n % 256);
  content.write(`entry ${n}`);
  return { key: keyOf(n), content };
}

/** Bytes of all packs in a directory. */
export function bytesIn(path: string): number {
  return packsIn(path).reduce((total, name) => total + statSync(join(path, name)).size, 0);
}
