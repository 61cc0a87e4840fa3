import { isAbsolute, join } from 'node:path';

/**
 * Where the command line keeps objects: `farjit` in the user's cache directory, which is `$XDG_CACHE_HOME` or
 * `~/.cache`.
 * @returns undefined when the environment names neither.
 * @see XDG Base Directory Specification 0.8: a relative path in the variable is to be ignored
 */
export function defaultCacheDirectory(
  env: Readonly<Record<string, string | undefined>> = process.env,
): string | undefined {
  const { XDG_CACHE_HOME: xdg, HOME: home } = env;
  if (xdg && isAbsolute(xdg)) return join(xdg, 'farjit');
  return home && isAbsolute(home) ? join(home, '.cache', 'farjit') : undefined;
}
