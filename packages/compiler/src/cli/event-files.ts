import type { JIT } from '../jit/jit.js';
import type { CommandStreams } from './command-streams.js';
import type { RunOptions } from './run-options.js';

/**
 * Begins the files that a run's options ask for; closing the JIT ends them.
 * @param sources what is run.
 * @throws {EventFileError} when one cannot be opened.
 */
export async function writeEvents(
  jit: JIT,
  { trace, record, recordPasses }: Pick<RunOptions, 'trace' | 'record' | 'recordPasses'>,
  sources: () => readonly { readonly name: string; readonly content: Uint8Array }[],
  streams: CommandStreams,
): Promise<void> {
  const onError = ({ message }: Error) => void streams.remark('warning', message);
  if (trace !== undefined) await jit.trace(trace, { onError });
  if (record !== undefined) await jit.record(record, { sources: sources(), passes: recordPasses, onError });
}
