import { chmodSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

/** A runner that behaves as `mode` of `hostile-runner.ts` says, as an executable file in `directory`. */
export function hostileRunner(directory: string, mode: string): string {
  const script = fileURLToPath(new URL('hostile-runner.js', import.meta.url));
  const path = join(directory, mode.replaceAll(' ', '-'));
  writeFileSync(path, `#!/bin/sh\nexec '${process.execPath}' '${script}' '${mode}'\n`);
  chmodSync(path, 0o755);
  return path;
}
