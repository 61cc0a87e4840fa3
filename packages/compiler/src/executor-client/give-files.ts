import { files, type ParamsOf, type RequestType, type ResultOf } from '@farjit/protocol';
import { ProtocolError } from '@farjit/protocol/errors';
import { throwIfAborted, untilAborted } from '../core/aborting.js';

/** Slices on their way at a time: 4 MiB, enough for 80 MB a second where a round trip takes 50 ms. */
const SLICES_AT_ONCE = 4;

/** Sends a request of the files'. */
export type AskFiles = <M extends RequestType>(type: M, params: ParamsOf<M>) => Promise<ResultOf<M>>;

/** A content and its digest. */
export interface OfferedContent {
  readonly digest: Uint8Array;
  readonly bytes: Uint8Array;
}

/**
 * Sees that an executor has contents: sends those that it has not got from this identity.
 * @throws {AbortError} at once when the signal is aborted: what has been sent is of no use then.
 */
export function giveFiles(
  ask: AskFiles,
  contents: readonly OfferedContent[],
  signal: AbortSignal | undefined,
): Promise<void> {
  const words = 'the files of the program were not sent to their end';
  return untilAborted(signal, words, async () => {
    const offer = contents.map(({ digest, bytes }) => ({ digest, sizeBytes: bytes.byteLength }));
    const { missing } = await ask(files.offerFiles, { contents: offer });
    const under = new Set<Promise<unknown>>();
    let failure: { readonly error: unknown } | undefined;
    for (const index of missing) {
      const { bytes } = contents[index] ?? {};
      if (!bytes) throw new ProtocolError(`the executor misses content ${index} of ${contents.length}`);
      for (let offset = 0; offset === 0 || offset < bytes.byteLength; offset += files.MAX_SLICE_BYTES) {
        throwIfAborted(signal, words);
        if (failure) throw failure.error;
        const slice = bytes.subarray(offset, offset + files.MAX_SLICE_BYTES);
        const sent: Promise<unknown> = ask(files.sendFile, { index, offset, slice })
          .catch((error: unknown) => {
            failure ??= { error };
          })
          .finally(() => under.delete(sent));
        under.add(sent);
        if (under.size >= SLICES_AT_ONCE) await Promise.race(under);
      }
    }
    await Promise.all(under);
    if (failure) throw failure.error;
  });
}
