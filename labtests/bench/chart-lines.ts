/** Lines in a pair of axes, each linear or logarithmic. */
import { type Axis, fixed, type LinesChart, label, SERIES_COLOURS } from './chart.ts';

const WIDTH = 640;
const HEIGHT = 380;
const LEFT = 70;
const RIGHT = 20;
const TOP = 74;
const BOTTOM = 50;

interface Scale {
  /** Where a value is, in units of the drawing. */
  at(value: number): number;
  ticks: number[];
}

/** Draws the lines, with a legend above them. */
export function drawLines(chart: LinesChart): { width: number; height: number; body: string[] } {
  const points = chart.series.flatMap((series) => series.points);
  const x = scale(
    chart.x,
    points.map((point) => point[0]),
    LEFT,
    WIDTH - RIGHT,
  );
  const y = scale(
    chart.y,
    points.map((point) => point[1]),
    HEIGHT - BOTTOM,
    TOP,
  );
  const body = [label(LEFT, 28, chart.title, 'text title')];
  for (const tick of y.ticks) {
    const at = fixed(y.at(tick));
    body.push(`<line class="grid-line" x1="${LEFT}" x2="${WIDTH - RIGHT}" y1="${at}" y2="${at}"/>`);
    body.push(label(LEFT - 8, y.at(tick) + 4, tickText(tick), 'quiet', 'end'));
  }
  for (const tick of x.ticks)
    body.push(label(x.at(tick), HEIGHT - BOTTOM + 20, tickText(tick), 'quiet', 'middle'));
  body.push(label((LEFT + WIDTH - RIGHT) / 2, HEIGHT - 10, chart.x.label, 'quiet', 'middle'));
  body.push(label(LEFT, TOP - 10, chart.y.label, 'quiet'));
  let legend = LEFT;
  chart.series.forEach((series, index) => {
    const colour = `series${index % SERIES_COLOURS}`;
    const path = series.points.map(
      ([a, b], at) => `${at === 0 ? 'M' : 'L'}${fixed(x.at(a))} ${fixed(y.at(b))}`,
    );
    body.push(`<path class="series ${colour}-line" d="${path.join('')}"/>`);
    body.push(`<rect class="${colour}" x="${legend}" y="40" width="10" height="10" rx="2"/>`);
    body.push(label(legend + 15, 49, series.label));
    legend += 35 + series.label.length * 6.6;
  });
  return { width: WIDTH, height: HEIGHT, body };
}

function scale({ logarithmic }: Axis, values: number[], from: number, to: number): Scale {
  if (values.length === 0) return { at: () => from, ticks: [] };
  const place = logarithmic ? Math.log10 : (value: number) => value;
  const ticks = logarithmic ? decades(values) : evenSteps(values);
  const low = place(ticks[0]);
  const high = place(ticks.at(-1)!);
  const span = high - low || 1;
  return { at: (value) => from + ((place(value) - low) / span) * (to - from), ticks };
}

/** Powers of ten around the values. */
function decades(values: number[]): number[] {
  const first = Math.floor(Math.log10(Math.min(...values)));
  const last = Math.max(first + 1, Math.ceil(Math.log10(Math.max(...values))));
  return Array.from({ length: last - first + 1 }, (_, index) => 10 ** (first + index));
}

/** Four to eight round steps from 0. */
function evenSteps(values: number[]): number[] {
  const largest = Math.max(...values, Number.MIN_VALUE);
  const magnitude = 10 ** Math.floor(Math.log10(largest / 4));
  const step = magnitude * ([1, 2, 5, 10].find((factor) => largest / (magnitude * factor) <= 8) ?? 10);
  return Array.from({ length: Math.ceil(largest / step) + 1 }, (_, index) => index * step);
}

function tickText(value: number): string {
  return value.toLocaleString('en-US', {
    maximumSignificantDigits: 3,
    notation: value >= 10_000 ? 'compact' : 'standard',
  });
}
