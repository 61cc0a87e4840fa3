import { createReadStream, readFileSync, statSync } from 'node:fs';

/**
 * Reads a file that is not longer than that: at once what lies on a disk; what may take its time, as a pipe does, leaves the
 * event loop free.
 * @throws {RangeError} when it is longer, or the system's error.
 */
export async function readBoundedFile(path: string, maxBytes: number): Promise<Buffer> {
  const status = statSync(path);
  if (!status.isFile()) return readBoundedStream(createReadStream(path), maxBytes);
  refuseLarge(status.size, maxBytes);
  return readFileSync(path);
}

/**
 * Reads a stream to its end.
 * @throws {RangeError} when that does not come in time, or what the stream fails with.
 */
export async function readBoundedStream(
  stream: AsyncIterable<Buffer | string>,
  maxBytes: number,
): Promise<Buffer> {
  const chunks: Buffer[] = [];
  let sizeBytes = 0;
  for await (const chunk of stream) {
    sizeBytes += chunk.length;
    refuseLarge(sizeBytes, maxBytes);
    chunks.push(Buffer.from(chunk as Buffer));
  }
  return Buffer.concat(chunks);
}

function refuseLarge(sizeBytes: number, maxBytes: number): void {
  if (sizeBytes > maxBytes) throw new RangeError(`it has more than ${maxBytes} bytes`);
}
