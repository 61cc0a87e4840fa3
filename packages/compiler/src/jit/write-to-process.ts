/**
 * A full pipe holds the program back, as it would a program that writes to it itself. What cannot be written is lost, as what
 * `console` writes is, unless somebody listens to the stream's errors.
 */
export function writeToProcess(stream: 'stdout' | 'stderr', content: Uint8Array): Promise<void> | undefined {
  const to = process[stream];
  let isFull = false;
  const written = new Promise<void>((resolve) => {
    isFull = !to.write(content, (error) => {
      if (error && to.listenerCount('error') === 0) to.once('error', () => {});
      resolve();
    });
  });
  return isFull ? written : undefined;
}
