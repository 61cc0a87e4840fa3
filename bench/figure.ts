import type { Summary } from './samples.js';
import { spread, type Table } from './table.js';

/** How much at most. */
export interface Target {
  /** None for what is measured to show where we stand. */
  readonly limit?: number;
  /** Better than asked for. */
  readonly stretch?: number;
  /** Of limit, stretch and measurement: `×`, `ms`, `MiB`, … */
  readonly unit: string;
  /** Digits after the point that mean something. */
  readonly digits: number;
}

/** One line of the table of figures to reach. */
export interface Figure {
  /** The line's name, short enough for a table's first column. */
  readonly what: string;
  readonly target: Target;
  /** What is held against the target; or why there is nothing. */
  readonly measured: Summary | { readonly missing: string };
  /** FarJIT's own figure, in words with its unit, where `measured` is a ratio. */
  readonly farjit?: string;
  /** What it is compared with, and its figure. */
  readonly peer?: string;
  /** What was run and how it was measured, as half a sentence with the commands. */
  readonly how: string;
}

export type Verdict = 'stretch' | 'reached' | 'missed' | 'not measured' | 'no target';

/** The median decides, as it would be printed: nobody is told 0.60 of at most 0.60 and “missed”. */
export function judge({ target, measured }: Figure): Verdict {
  if ('missing' in measured) return 'not measured';
  if (target.limit === undefined) return 'no target';
  const median = Number(measured.median.toFixed(target.digits));
  if (target.stretch !== undefined && median <= target.stretch) return 'stretch';
  return median <= target.limit ? 'reached' : 'missed';
}

/** How many times the target the figure is: at most 1 when it is reached. Nothing is a multiple of none, or of no target. */
export function ofTarget({ target, measured }: Figure): number | undefined {
  if ('missing' in measured || target.limit === undefined || target.limit === 0) return undefined;
  return measured.median / target.limit;
}

/** The table of figures to reach. */
export function figureTable(figures: readonly Figure[]): Table {
  return {
    title: 'Figures to reach',
    columns: ['', 'target', 'FarJIT', 'beside', 'measured', '÷ target', ''],
    rows: figures.map((figure) => [
      figure.what,
      targetInWords(figure.target),
      figure.farjit ?? '',
      figure.peer ?? '',
      measuredInWords(figure),
      ofTarget(figure)?.toFixed(2) ?? '',
      judge(figure),
    ]),
    notes: [
      'Medians (minimum–maximum). Where something is compared, both took turns, the ratio was taken in each turn, and ' +
        'the median of those ratios is held against the target.',
      ...figures.map(({ what, measured, how }) =>
        'missing' in measured ? `${what}: not measured, ${measured.missing}.` : `${what}: ${how}.`,
      ),
    ],
  };
}

function targetInWords({ limit, stretch, unit }: Target): string {
  if (limit === undefined) return '';
  const words = `≤ ${limit} ${unit}`;
  return stretch === undefined ? words : `${words} (stretch ${stretch})`;
}

/** A figure's median and range, with its unit. */
export function measuredInWords({ target, measured }: Figure): string {
  return 'missing' in measured ? '–' : `${spread(measured, target.digits)} ${target.unit}`;
}
