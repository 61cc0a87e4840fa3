import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { ExecutionContext } from 'ava';

/** An archive of these members, with an index. */
export function archiveOf(t: ExecutionContext, members: Readonly<Record<string, Uint8Array>>): Buffer {
  const directory = mkdtempSync(join(tmpdir(), 'farjit-archive-'));
  t.teardown(() => rmSync(directory, { recursive: true }));
  for (const [name, content] of Object.entries(members)) writeFileSync(join(directory, name), content);
  execFileSync('ar', ['rcs', 'lib.a', ...Object.keys(members)], { cwd: directory, timeout: 20_000 });
  return readFileSync(join(directory, 'lib.a'));
}
