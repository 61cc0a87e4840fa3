import type { Writable } from 'node:stream';
import picocolors from 'picocolors';

export type Colors = ReturnType<typeof picocolors.createColors>;

/** Colours for a stream: none unless it is a terminal that shows them and `NO_COLOR` is not set. */
export function colorsFor(stream: Writable & { isTTY?: boolean }, env = process.env): Colors {
  return picocolors.createColors(Boolean(stream.isTTY) && !env.NO_COLOR && env.TERM !== 'dumb');
}

/** Colours the first line's place and its `error:`, and a caret that stands alone. */
export function colorReport(report: string, colors: Colors): string {
  if (!colors.isColorSupported) return report;
  return report
    .replaceAll(/^(.*?:\d+:\d+: )(error:)/gm, (_, place: string, error: string) => {
      return colors.bold(place) + colors.red(colors.bold(error));
    })
    .replaceAll(/^([ \t]*)\^$/gm, (_, indent: string) => indent + colors.green('^'));
}
