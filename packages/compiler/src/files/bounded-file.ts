import { closeSync, constants, createReadStream, fstatSync, openSync, readFileSync } from 'node:fs';
import { addAbortSignal, type Readable } from 'node:stream';

/**
 * Reads a file that is not longer than that: at once what lies on a disk; what may take its time, as a pipe does, leaves the
 * event loop free.
 * @param signal ends the wait for a pipe.
 * @throws {RangeError} when it is longer, or the system's error.
 */
export async function readBoundedFile(path: string, maxBytes: number, signal?: AbortSignal): Promise<Buffer> {
  const fd = openWithoutWaiting(path);
  const status = fstatSync(fd);
  if (!status.isFile()) return readBoundedStream(await streamOf(fd), maxBytes, signal);
  try {
    refuseLarge(status.size, maxBytes);
    return readFileSync(fd);
  } finally {
    closeSync(fd);
  }
}

/**
 * Reads a stream to its end.
 * @param signal destroys the stream.
 * @throws {RangeError} when that does not come in time, or what the stream fails with.
 */
export async function readBoundedStream(
  stream: Readable,
  maxBytes: number,
  signal?: AbortSignal,
): Promise<Buffer> {
  if (signal) addAbortSignal(signal, stream);
  const chunks: Buffer[] = [];
  let sizeBytes = 0;
  for await (const chunk of stream) {
    sizeBytes += chunk.length;
    refuseLarge(sizeBytes, maxBytes);
    chunks.push(Buffer.from(chunk as Buffer));
  }
  return Buffer.concat(chunks);
}

/**
 * Opens a file to be read as a stream. Who is to write to a pipe need not be there yet: the stream waits for it.
 * @throws the system's error.
 */
export async function openStream(path: string): Promise<Readable> {
  return streamOf(openWithoutWaiting(path));
}

/** Else a FIFO is open when somebody writes to it, and until then no signal is heard. */
function openWithoutWaiting(path: string): number {
  return openSync(path, constants.O_RDONLY | constants.O_NONBLOCK);
}

/**
 * The file as a stream, which closes it. Node reads files on a thread, which nothing calls back from a pipe or a terminal: the
 * process could not end. Those are read when they have something.
 */
async function streamOf(fd: number): Promise<Readable> {
  if (fstatSync(fd).isFIFO()) {
    const { Socket } = await import('node:net');
    return new Socket({ fd, readable: true, writable: false });
  }
  const { isatty, ReadStream } = await import('node:tty');
  return isatty(fd) ? new ReadStream(fd) : createReadStream('', { fd });
}

function refuseLarge(sizeBytes: number, maxBytes: number): void {
  if (sizeBytes > maxBytes) throw new RangeError(`it has more than ${maxBytes} bytes`);
}
