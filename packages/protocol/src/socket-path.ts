/** What `sockaddr_un` holds on Linux, less the terminating NUL. */
const MAX_SOCKET_PATH_BYTES = 107;

/**
 * The path in `ws+unix:PATH` or `ws+unix://PATH`, as it is written: nothing in it stands for anything else, so that spaces,
 * `%`, `#`, `?` and letters beyond ASCII are themselves.
 * @returns undefined for other URLs.
 */
export function socketPathOf(url: string): string | undefined {
  return /^ws\+unix:(?:\/\/)?(.*)$/s.exec(url)?.[1];
}

/** Why no socket can be at a path, in words; undefined when one can. */
export function socketPathFault(path: string): string | undefined {
  if (path === '') return 'the path of the socket is missing';
  if (path.includes('\0')) return "a socket's path cannot contain a NUL";
  // Other WebSocket clients end the socket's path there.
  if (path.includes(':')) return "a socket's path cannot contain a colon";
  const sizeBytes = Buffer.byteLength(path);
  if (sizeBytes > MAX_SOCKET_PATH_BYTES)
    return `a socket's path has at most ${MAX_SOCKET_PATH_BYTES} bytes, and this has ${sizeBytes}`;
  return undefined;
}
