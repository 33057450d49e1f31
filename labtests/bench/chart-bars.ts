/** Small multiples of horizontal bars. */
import { type BarsChart, fixed, label, type Panel } from './chart.ts';

const COLUMN = 300;
const MARGIN = 20;
const NAME = 76;
const BAR = 14;
const STEP = 19;
/** Room for the figure right of the longest bar. */
const FIGURE = 62;
const TITLE = 46;

interface Drawing {
  width: number;
  height: number;
  body: string[];
}

/** Draws the panels, a column for each group, in the order in which groups first come. */
export function drawBars(chart: BarsChart): Drawing {
  const groups = [...new Set(chart.panels.map(({ group }) => group))];
  const body = [label(MARGIN, 28, chart.title, 'text title')];
  let height = 0;
  groups.forEach((group, column) => {
    const x = MARGIN + column * (COLUMN + MARGIN);
    body.push(label(x, TITLE + 16, group, 'text group'));
    let y = TITLE + 40;
    for (const panel of chart.panels.filter((candidate) => candidate.group === group)) {
      body.push(...drawPanel(panel, x, y, chart.highlight));
      y += 30 + panel.bars.length * STEP;
    }
    height = Math.max(height, y);
  });
  return { width: MARGIN + groups.length * (COLUMN + MARGIN), height, body };
}

function drawPanel({ title, bars }: Panel, x: number, y: number, highlight: string): string[] {
  const largest = Math.max(...bars.map(({ value }) => value ?? 0), Number.MIN_VALUE);
  const room = COLUMN - NAME - FIGURE;
  const lines = [label(x, y, title, 'quiet')];
  bars.forEach(({ label: name, value }, index) => {
    const top = y + 8 + index * STEP;
    const length = Math.max(1, ((value ?? 0) / largest) * room);
    const colour = name === highlight ? 'series0' : 'other';
    lines.push(label(x, top + 11, name, name === highlight ? 'text group' : 'text'));
    if (value !== null) {
      lines.push(
        `<rect class="${colour}" x="${x + NAME}" y="${top}" width="${fixed(length)}" height="${BAR}" rx="2"/>`,
      );
    }
    const at = x + NAME + (value === null ? 0 : length) + 5;
    lines.push(label(at, top + 11, value === null ? 'not in time' : figureText(value), 'text'));
  });
  return lines;
}

function figureText(value: number): string {
  return value.toLocaleString('en-US', { maximumSignificantDigits: 3 });
}
