import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { copyFileSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { ROOT } from '../paths.mjs';
import { ScriptError } from '../report.mjs';

const SMOKE = fileURLToPath(new URL('./smoke.mjs', import.meta.url));

/** Lays out in `folder` what somebody has before he installs anything: a project with an application, and a program. */
export function makeProject(folder) {
  mkdirSync(folder, { recursive: true });
  const manifest = { name: 'project', private: true, type: 'module' };
  writeFileSync(join(folder, 'package.json'), JSON.stringify(manifest));
  writeFileSync(join(folder, 'program.ks'), 'extern printd(x);\nprintd(42);\n');
  writeFileSync(join(folder, 'program.c'), 'int main(void) { return 0; }\n');
  for (const name of ['application', 'types'])
    copyFileSync(`${ROOT}test/packages/${name}.ts`, join(folder, `${name}.ts`));
  copyFileSync(`${ROOT}test/dist/packages/application.js`, join(folder, 'application.js'));
  copyFileSync(SMOKE, join(folder, 'smoke.mjs'));
}

/**
 * Runs a command; its standard error comes behind its standard output.
 * @throws {ScriptError} when it fails, unless `mayFail`.
 */
export async function output(command, args, { mayFail = false, timeoutMs = 300_000, ...options } = {}) {
  const child = spawn(command, args, { stdio: ['ignore', 'pipe', 'pipe'], timeout: timeoutMs, ...options });
  const written = ['', ''];
  for (const [index, stream] of [child.stdout, child.stderr].entries())
    stream.setEncoding('utf8').on('data', (text) => {
      written[index] += text;
    });
  const [code, signal] = await once(child, 'close');
  if (code !== 0 && !mayFail)
    throw new ScriptError(`${[command, ...args].join(' ')} ended with ${signal ?? code}`, [
      written.join('').slice(-2000),
    ]);
  return written.join('');
}
