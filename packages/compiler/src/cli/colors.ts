import type { Writable } from 'node:stream';
import picocolors from 'picocolors';

export type Colors = ReturnType<typeof picocolors.createColors>;

/**
 * Whether to write colours to a stream: never with `NO_COLOR`, whatever it is with `FORCE_COLOR`, and otherwise when it is a terminal
 * that shows them.
 */
export function wantsColors(stream: Writable & { isTTY?: boolean }, env = process.env): boolean {
  if (env.NO_COLOR || env.FORCE_COLOR === '0' || env.FORCE_COLOR === 'false') return false;
  return Boolean(env.FORCE_COLOR) || (Boolean(stream.isTTY) && env.TERM !== 'dumb');
}

/** Colours for a stream, if it wants any. */
export function colorsFor(stream: Writable & { isTTY?: boolean }, env = process.env): Colors {
  return picocolors.createColors(wantsColors(stream, env));
}

/** Colours the first line's place, the level, and a caret that stands alone. */
export function colorReport(report: string, colors: Colors): string {
  if (!colors.isColorSupported) return report;
  const paint = { error: colors.red, warning: colors.magenta, note: colors.cyan };
  return report
    .replaceAll(
      /^(farjit: |.*?:\d+:\d+: )(error|warning|note):/gm,
      (_, place: string, level: keyof typeof paint) => {
        return colors.bold(place) + paint[level](colors.bold(`${level}:`));
      },
    )
    .replaceAll(/^([ \t]*)\^$/gm, (_, indent: string) => indent + colors.green('^'));
}
