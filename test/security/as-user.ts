import { spawn } from 'node:child_process';
import { accessSync, constants, statSync } from 'node:fs';
import { dirname } from 'node:path';
import { fileURLToPath } from 'node:url';

/** An ordinary user that owns nothing. */
export const NOBODY = 65_534;

/** Why nothing can be run as an ordinary user here, in words; undefined when it can. */
export function cannotRunAsUser(): string | undefined {
  if (process.getuid?.() !== 0) return 'this is an ordinary user already';
  for (let path = fileURLToPath(import.meta.url); path !== '/'; path = dirname(path))
    if ((statSync(path).mode & 0o005) === 0) return `an ordinary user cannot read ${path}`;
  accessSync(process.execPath, constants.X_OK);
  return undefined;
}

/** Runs a script beside this one and answers what it printed. */
export async function runScript(script: string, args: readonly string[], asUser: boolean): Promise<string> {
  const path = fileURLToPath(new URL(script, import.meta.url));
  const child = spawn(process.execPath, [path, ...args], {
    stdio: ['ignore', 'pipe', 'pipe'],
    cwd: '/',
    ...(asUser ? { uid: NOBODY, gid: NOBODY, env: { PATH: process.env.PATH, HOME: '/' } } : {}),
  });
  const texts = ['', ''];
  for (const [index, stream] of [child.stdout, child.stderr].entries())
    stream.on('data', (chunk: Buffer) => {
      texts[index] += chunk.toString();
    });
  const code = await new Promise((resolve, reject) => {
    child.once('error', reject);
    child.once('close', resolve);
  });
  if (code !== 0) throw new Error(`${script} ended with ${code}: ${texts.join('\n')}`);
  return texts[0] ?? '';
}
