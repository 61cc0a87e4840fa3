import { FarJITError } from '@farjit/protocol/errors';
import * as v from 'valibot';
import { readBoundedFile } from '../files/bounded-file.js';
import { writeOutputFile } from '../files/output-file.js';
import { systemErrorWords } from '../files/system-error.js';
import { printable } from '../frontends/kaleidoscope/printable.js';

/**
 * The calls of a run: each function it called, once, in the order of the first calls.
 *
 * As a file it is JSON; `version` grows when what is in it changes its meaning.
 */
const CallProfile = v.object({
  format: v.literal('farjit-calls'),
  version: v.literal(1),
  functions: v.array(v.pipe(v.string(), v.minLength(1))),
});

/** Largest profile that is read: one of the largest program is half of it. */
const MAX_PROFILE_BYTES = 64 * 1024 * 1024;

/**
 * A file that cannot be read or written, or holds no profile.
 * @remarks Name another file, or record it anew with `--record-calls`.
 */
export class CallProfileError extends FarJITError {
  constructor(doing: 'use' | 'write', path: string, words: string, cause?: unknown) {
    const advice = doing === 'use' ? '; --record-calls makes one' : '';
    super('CALL_PROFILE', `cannot ${doing} the profile ${printable(path)}: ${words}${advice}`, { cause });
  }
}

/**
 * Reads what `writeCallProfile` wrote.
 * @param signal ends the wait for a pipe.
 * @returns functions in the order in which they were first called.
 * @throws {CallProfileError}
 */
export async function readCallProfile(path: string, signal?: AbortSignal): Promise<string[]> {
  const bytes = await readBoundedFile(path, MAX_PROFILE_BYTES, signal).catch((error: unknown) => {
    throw new CallProfileError('use', path, systemErrorWords(error), error);
  });
  let content: unknown;
  try {
    // Without the byte order mark that some editors begin a file with.
    content = JSON.parse(new TextDecoder().decode(bytes));
  } catch (error) {
    throw new CallProfileError('use', path, 'it is not JSON', error);
  }
  const parsed = v.safeParse(CallProfile, content);
  if (parsed.success) return parsed.output.functions;
  const [issue] = parsed.issues;
  const where = v.getDotPath(issue);
  throw new CallProfileError(
    'use',
    path,
    `${where === null ? 'it' : where} is not as expected: ${issue.message}`,
  );
}

/**
 * Writes a profile, or leaves the file as it was: nobody sees half of one.
 * @param signal ends the wait for whoever reads a pipe.
 * @throws {CallProfileError}
 */
export async function writeCallProfile(
  path: string,
  functions: readonly string[],
  signal?: AbortSignal,
): Promise<void> {
  const profile: v.InferOutput<typeof CallProfile> = {
    format: 'farjit-calls',
    version: 1,
    functions: [...functions],
  };
  try {
    await writeOutputFile(path, [`${JSON.stringify(profile, undefined, 1)}\n`], signal);
  } catch (error) {
    throw new CallProfileError('write', path, systemErrorWords(error), error);
  }
}
