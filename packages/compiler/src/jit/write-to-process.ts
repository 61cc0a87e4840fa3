/** A full pipe holds the program back, as it would a program that writes to it itself. */
export function writeToProcess(stream: 'stdout' | 'stderr', content: Uint8Array): Promise<void> | undefined {
  let isFull = false;
  const written = new Promise<void>((resolve) => {
    isFull = !process[stream].write(content, () => resolve());
  });
  return isFull ? written : undefined;
}
