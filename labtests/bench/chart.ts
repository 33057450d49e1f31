/** Charts as SVG, drawn from data. They follow the reader's choice of a light or a dark page. */
import { drawBars } from './chart-bars.ts';
import { drawLines } from './chart-lines.ts';

/** One small chart of horizontal bars, on a scale of its own. */
export interface Panel {
  /** Panels of one group stand in one column under its name. */
  group: string;
  /** What the bars show, with the unit. */
  title: string;
  /** Null: there is no figure. */
  bars: { label: string; value: number | null }[];
}

/** Small multiples of bars. */
export interface BarsChart {
  kind: 'bars';
  /** The name of the file, in docs/benchmarks. */
  file: string;
  title: string;
  /** The label whose bars stand out. */
  highlight: string;
  panels: Panel[];
}

export interface Axis {
  /** What it shows, with the unit. */
  label: string;
  logarithmic: boolean;
}

/** Lines in one pair of axes. */
export interface LinesChart {
  kind: 'lines';
  file: string;
  title: string;
  x: Axis;
  y: Axis;
  series: { label: string; points: (readonly [x: number, y: number])[] }[];
}

export type Chart = BarsChart | LinesChart;

/** The chart as the text of an SVG file. */
export function draw(chart: Chart): string {
  const { width, height, body } = chart.kind === 'bars' ? drawBars(chart) : drawLines(chart);
  const id = chart.file.replace(/\W/g, '-');
  return `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${height}" viewBox="0 0 ${width} ${height}" role="img" aria-labelledby="${id}">
<title id="${id}">${escapeText(chart.title)}</title>
<style>
${styleSheet()}
</style>
<rect class="page" width="${width}" height="${height}"/>
${body.join('\n')}
</svg>
`;
}

/** A colour in the light and in the dark form of a chart. */
interface Colours {
  light: string;
  dark: string;
}

/** The colours by what they are for; all but `grid` and `page` stand out from the page in both forms. */
export const PALETTE: Record<string, Colours> = {
  page: { light: '#ffffff', dark: '#0d1117' },
  text: { light: '#1f2937', dark: '#e5e7eb' },
  quiet: { light: '#57606a', dark: '#9ca3af' },
  grid: { light: '#d8dee4', dark: '#30363d' },
  other: { light: '#848d97', dark: '#6e7681' },
  series0: { light: '#1f6feb', dark: '#58a6ff' },
  series1: { light: '#b35900', dark: '#f0883e' },
  series2: { light: '#1a7f37', dark: '#3fb950' },
  series3: { light: '#8250df', dark: '#bc8cff' },
};

/** How many series have a colour of their own. */
export const SERIES_COLOURS = 4;

function styleSheet(): string {
  const rules = (form: keyof Colours) =>
    Object.entries(PALETTE)
      .map(([name, colours]) => `.${name}{fill:${colours[form]}}.${name}-line{stroke:${colours[form]}}`)
      .join('\n');
  return `text{font:12px system-ui,sans-serif}.title{font-size:15px;font-weight:600}.group{font-weight:600}
.series{fill:none;stroke-width:2}
${rules('light')}
@media (prefers-color-scheme:dark){
${rules('dark')}
}`;
}

/** Text for the inside of an element. */
export function escapeText(text: string): string {
  return text.replace(/&/g, '&amp;').replace(/</g, '&lt;').replace(/>/g, '&gt;');
}

/** One line of text; `anchor` is where `x` is: start, middle or end. */
export function label(x: number, y: number, text: string, classes = 'text', anchor = 'start'): string {
  return `<text x="${fixed(x)}" y="${fixed(y)}" class="${classes}" text-anchor="${anchor}">${escapeText(text)}</text>`;
}

/** A coordinate: tenths of a unit are enough. */
export function fixed(value: number): string {
  return String(Number(value.toFixed(1)));
}
