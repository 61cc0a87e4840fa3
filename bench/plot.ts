import { type EChartsOption, init, type SeriesOption } from 'echarts';

/** A measured point: median and range. */
export interface Point {
  readonly x: number;
  readonly median: number;
  readonly min: number;
  readonly max: number;
}

/** Lines over a number. */
export interface LinePlot {
  readonly kind: 'lines';
  /** The file's name, without `.svg`. */
  readonly id: string;
  readonly title: string;
  readonly x: Axis;
  readonly y: Axis;
  readonly series: readonly { readonly title: string; readonly points: readonly Point[] }[];
}

/** Bars that are piled up. */
export interface StackPlot {
  readonly kind: 'stack';
  readonly id: string;
  readonly title: string;
  readonly y: Axis;
  readonly columns: readonly string[];
  /** One value a column. */
  readonly series: readonly { readonly title: string; readonly values: readonly number[] }[];
}

/** A bar a name, with a line across all of them. */
export interface BarPlot {
  readonly kind: 'bars';
  readonly id: string;
  readonly title: string;
  readonly y: Axis;
  readonly line: number;
  readonly bars: readonly { readonly title: string; readonly value: number }[];
}

export type Plot = LinePlot | StackPlot | BarPlot;

export interface Axis {
  readonly title: string;
  readonly logarithmic?: boolean;
}

const WIDTH = 900;
const LINE_HEIGHT = 440;
const BAR_HEIGHT = 26;

/** As many as a callback has stages, each told from its neighbours. */
const COLORS = [
  '#3b6fb6',
  '#e08a2e',
  '#4aa564',
  '#c8504b',
  '#8b6cc0',
  '#8a5a44',
  '#d977b4',
  '#7f8790',
  '#b5b13a',
  '#35b0c4',
];

/** Draws a plot. The same plot gives the same text. */
export function toSVG(plot: Plot): string {
  const height = plot.kind === 'bars' ? 130 + BAR_HEIGHT * plot.bars.length : LINE_HEIGHT;
  const chart = init(null, null, { renderer: 'svg', ssr: true, width: WIDTH, height });
  try {
    chart.setOption({
      animation: false,
      color: COLORS,
      backgroundColor: '#ffffff',
      title: { text: plot.title, left: 'center', top: 8, textStyle: { fontSize: 15 } },
      ...optionOf(plot),
    });
    return `${withTitle(withoutInteraction(chart.renderToSVGString()), plot.title)}\n`;
  } finally {
    chart.dispose();
  }
}

/** Leaves out what is for a browser's mouse: styles under it, and names of elements counted over all drawings. */
function withoutInteraction(svg: string): string {
  return svg
    .replace(/<style\b[\s\S]*?<\/style>\s*/g, '')
    .replace(/ (?:class|ecmeta_\w+)="[^"]*"/g, '')
    .replace(/\bzr\d+-/g, '');
}

/** For who hears the picture. */
function withTitle(svg: string, title: string): string {
  const escaped = title.replace(/[&<>]/g, (sign) => `&#${sign.charCodeAt(0)};`);
  return svg.replace(/(<svg\b[^>]*>)\s*/, (_, start: string) => `${start}\n<title>${escaped}</title>\n`);
}

function optionOf(plot: Plot): EChartsOption {
  if (plot.kind === 'lines') return lineOption(plot);
  return plot.kind === 'stack' ? stackOption(plot) : barOption(plot);
}

function lineOption({ x, y, series }: LinePlot): EChartsOption {
  return {
    ...legend(series.map(({ title }) => title)),
    grid: { left: 75, right: 30, top: 80, bottom: 55 },
    xAxis: { ...axis(x), nameLocation: 'middle', nameGap: 30 },
    yAxis: { ...axis(y), nameLocation: 'middle', nameGap: 52 },
    series: series.flatMap(({ title, points }): SeriesOption[] => [
      {
        type: 'line',
        name: title,
        symbolSize: 7,
        data: points.map((point) => [point.x, point.median]),
      },
      {
        type: 'custom',
        name: title,
        data: points.map((point) => [point.x, point.min, point.max]),
        renderItem: (_, api) => {
          const [left = 0, low = 0] = api.coord([api.value(0), api.value(1)]);
          const [, high = 0] = api.coord([api.value(0), api.value(2)]);
          return {
            type: 'line',
            shape: { x1: left, y1: low, x2: left, y2: high },
            style: { stroke: String(api.visual('color')), lineWidth: 1.5 },
          };
        },
      },
    ]),
  };
}

function stackOption({ y, columns, series }: StackPlot): EChartsOption {
  return {
    ...legend(series.map(({ title }) => title)),
    grid: { left: 75, right: 30, top: 110, bottom: 40 },
    xAxis: { type: 'category', data: [...columns] },
    yAxis: { ...axis(y), nameLocation: 'middle', nameGap: 52 },
    series: series.map(({ title, values }) => ({
      type: 'bar',
      stack: 'all',
      barMaxWidth: 90,
      name: title,
      data: values.map((value) => Math.max(0, value)),
    })),
  };
}

function barOption({ y, line, bars }: BarPlot): EChartsOption {
  return {
    grid: { left: 430, right: 60, top: 45, bottom: 55 },
    xAxis: { ...axis(y), nameLocation: 'middle', nameGap: 30 },
    yAxis: {
      type: 'category',
      inverse: true,
      data: bars.map(({ title }) => title),
      axisLabel: { interval: 0, width: 410, overflow: 'truncate' },
    },
    series: [
      {
        type: 'bar',
        barWidth: '60%',
        data: bars.map(({ value }) => ({
          value: Number(value.toPrecision(3)),
          itemStyle: { color: value <= line ? '#3a9d5d' : '#d0673d' },
        })),
        label: { show: true, position: 'right', backgroundColor: '#ffffff', padding: [1, 2] },
        markLine: {
          silent: true,
          symbol: 'none',
          label: { show: false },
          lineStyle: { color: '#333333', type: 'solid', width: 1.5 },
          data: [{ xAxis: line }],
        },
      },
    ],
  };
}

function legend(titles: readonly string[]): EChartsOption {
  return { legend: { top: 36, itemWidth: 16, itemHeight: 10, itemGap: 26, data: [...new Set(titles)] } };
}

function axis({ title, logarithmic = false }: Axis) {
  return { type: logarithmic ? ('log' as const) : ('value' as const), name: title, logBase: 10 };
}
