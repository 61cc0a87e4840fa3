import { files, type ParamsOf, type RequestType, type ResultOf } from '@farjit/protocol';
import { AbortError, ProtocolError } from '@farjit/protocol/errors';

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
 * @param signal sends no more when it is aborted; what is on its way then is still waited for.
 * @throws {AbortError}
 */
export async function giveFiles(
  ask: AskFiles,
  contents: readonly OfferedContent[],
  signal: AbortSignal,
): Promise<void> {
  const offer = contents.map(({ digest, bytes }) => ({ digest, sizeBytes: bytes.byteLength }));
  const { missing } = await ask(files.offerFiles, { contents: offer });
  const under = new Set<Promise<unknown>>();
  let failure: { readonly error: unknown } | undefined;
  for (const index of missing) {
    const { bytes } = contents[index] ?? {};
    if (!bytes) throw new ProtocolError(`the executor misses content ${index} of ${contents.length}`);
    for (let offset = 0; offset === 0 || offset < bytes.byteLength; offset += files.MAX_SLICE_BYTES) {
      if (signal.aborted) throw new AbortError('the files were not sent to their end', signal.reason);
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
}
