import { getSystemErrorMap } from 'node:util';

/** `no such file or directory` out of Node's `ENOENT: no such file or directory, open 'x'`. */
export function systemErrorWords(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const { code, errno } = error as NodeJS.ErrnoException;
  if (code === 'EISDIR') return 'it is a directory';
  const known = errno === undefined ? undefined : getSystemErrorMap().get(errno);
  return known?.[1] ?? error.message;
}
