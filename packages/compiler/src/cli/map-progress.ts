import type { MapProgress } from '../pool/chunked-map.js';

/** Shows how far a map is, and takes that away again. */
export interface ProgressDisplay {
  show(progress: MapProgress): void;
  end(): void;
}

/** A bar on a terminal; nothing where there is none. */
export async function openProgress(stream: NodeJS.WriteStream): Promise<ProgressDisplay> {
  if (!stream.isTTY) return { show: () => {}, end: () => {} };
  const { default: progress } = await import('cli-progress');
  const bar = new progress.SingleBar(
    {
      stream,
      clearOnComplete: true,
      hideCursor: true,
      format: '{bar} {percentage}% | {value} of {total} elements | {eta_formatted} left | {executor}',
    },
    progress.Presets.shades_classic,
  );
  let hasStarted = false;
  return {
    show: ({ doneElements, elementCount, executor }) => {
      if (!hasStarted) bar.start(elementCount, 0, { executor: '' });
      hasStarted = true;
      bar.update(doneElements, { executor: executor.address ?? executor.url });
    },
    end: () => {
      if (hasStarted) bar.stop();
    },
  };
}
