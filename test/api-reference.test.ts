import { execFile } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import test from 'ava';

const ROOT = fileURLToPath(new URL('../../', import.meta.url));

test('TypeDoc makes the reference without a warning', async (t) => {
  t.timeout(480_000);
  const out = mkdtempSync(join(tmpdir(), 'farjit-api-'));
  t.teardown(() => rmSync(out, { recursive: true }));
  // A warning is an error there.
  await promisify(execFile)(`${ROOT}node_modules/.bin/typedoc`, ['--out', out], { cwd: ROOT });
  t.true(existsSync(join(out, 'index.html')));
});
