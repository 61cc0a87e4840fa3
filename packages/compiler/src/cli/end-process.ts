/** How a command ended: everything it opened is closed. */
export interface Ended {
  readonly exitCode: number;
  /** LLVM and ffi-rs are loaded, and make the process slow to end. */
  readonly isLoaded: boolean;
}

/** Options of Node under which it has things to write when it ends: profiles, coverage, what a hook wants. */
const ASKS_NODE_FOR_SOMETHING = ['NODE_OPTIONS', 'NODE_V8_COVERAGE'] as const;

/**
 * Ends this process, which has nothing open any more. To take down Node and LLVM piece by piece takes 5 to 10 ms, and
 * the system does the same.
 */
export async function endProcess({ exitCode, isLoaded }: Ended): Promise<void> {
  process.exitCode = exitCode;
  // A reader that is slow gets the rest in the ordinary way.
  const isWritten = [process.stdout, process.stderr].every((stream) => stream.writableLength === 0);
  const isPlain =
    process.execArgv.length === 0 && ASKS_NODE_FOR_SOMETHING.every((name) => !process.env[name]);
  if (!isWritten || !isPlain) return;
  // What is open may be a connection whose other end does not close it.
  if (!isLoaded) process.exit();
  const { exitAtOnce } = await import('../ffi/exit-at-once.js');
  exitAtOnce(exitCode);
}
