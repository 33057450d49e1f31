/** Aligned tables for terminals. */
import { styleText } from 'node:util';

/** The meaning of a colour. Text is painted on a terminal, and plain elsewhere and under NO_COLOR. */
export type Tone = 'good' | 'wait' | 'bad' | 'quiet' | 'strong';

const COLOURS = { good: 'green', wait: 'yellow', bad: 'red', quiet: 'dim', strong: 'bold' } as const;

/** Paints text for standard output. */
export function paint(text: string, tone: Tone | undefined): string {
  return tone === undefined ? text : styleText(COLOURS[tone], text, { stream: process.stdout });
}

/** The width of the terminal in columns; 100 without a terminal. */
export function outputWidth(): number {
  return Math.max(60, process.stdout.columns ?? 100);
}

/** Foreign text on one line: control characters, which could move the cursor or change colours, become dots. */
export function clean(text: string): string {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what is looked for.
  return text.replace(/[\u0000-\u001f\u007f-\u009f\u2028\u2029]/g, '\u00b7');
}

/** The text of a cell and its colour. */
export interface Cell {
  text: string;
  tone?: Tone;
}

/** A column of a table of `T`. */
export interface Column<T> {
  title: string;
  cell(item: T): string | number | Cell;
  /** Align at the right, for numbers. */
  right?: boolean;
  /** If the table is too wide, the column may be cut with "…" to this width. */
  shrink?: number;
}

const GAP = '  ';

/** The lines of a table, titles first, none wider than `width` as long as columns can shrink. */
export function tableLines<T>(
  items: readonly T[],
  columns: readonly Column<T>[],
  width = outputWidth(),
): string[] {
  const rows = items.map((item) => columns.map((column) => asCell(column.cell(item))));
  const widths = columns.map((column, index) =>
    rows.reduce((most, row) => Math.max(most, length(row[index].text)), length(column.title)),
  );
  fit(widths, columns, width - GAP.length * (columns.length - 1));
  const line = (cells: readonly Cell[]) =>
    cells
      .map(({ text, tone }, index) => {
        const cut = truncate(text, widths[index]);
        const padding = ' '.repeat(widths[index] - length(cut));
        // No padding at the end of a line.
        if (columns[index].right) return padding + paint(cut, tone);
        return paint(cut, tone) + (index === columns.length - 1 ? '' : padding);
      })
      .join(GAP)
      .trimEnd();
  const titles = columns.map((column): Cell => ({ text: column.title, tone: 'quiet' }));
  return [titles, ...rows].map(line);
}

function asCell(value: string | number | Cell): Cell {
  if (typeof value === 'object') return { ...value, text: clean(value.text) };
  return { text: clean(typeof value === 'number' ? formatted(value) : value) };
}

/** Narrows the widest column that may shrink, again and again, until all fit. */
function fit<T>(widths: number[], columns: readonly Column<T>[], available: number): void {
  let excess = widths.reduce((sum, width) => sum + width, 0) - available;
  while (excess > 0) {
    let widest = -1;
    for (const [index, column] of columns.entries()) {
      const canShrink = column.shrink !== undefined && widths[index] > column.shrink;
      if (canShrink && (widest < 0 || widths[index] > widths[widest])) widest = index;
    }
    if (widest < 0) return;
    widths[widest]--;
    excess--;
  }
}

/** Cuts text to a number of columns, with "…" at the end. */
export function truncate(text: string, width: number): string {
  const characters = [...text];
  return characters.length <= width ? text : `${characters.slice(0, Math.max(0, width - 1)).join('')}…`;
}

function length(text: string): number {
  return [...text].length;
}

/** Breaks text at its spaces into lines of at most `width` columns. */
export function wrap(text: string, width: number): string[] {
  const lines: string[] = [];
  let line = '';
  for (const word of clean(text).split(' ')) {
    if (line !== '' && length(line) + 1 + length(word) > width) {
      lines.push(line);
      line = word;
    } else {
      line = line === '' ? word : `${line} ${word}`;
    }
  }
  return [...lines, line];
}

/** Seconds in two units: "4s", "2m05s", "3h12m", "9d04h". */
export function span(seconds: number): string {
  const whole = Math.max(0, Math.floor(seconds));
  const two = (value: number) => String(value).padStart(2, '0');
  if (whole < 60) return `${whole}s`;
  if (whole < 3600) return `${Math.floor(whole / 60)}m${two(whole % 60)}s`;
  if (whole < 86400) return `${Math.floor(whole / 3600)}h${two(Math.floor((whole % 3600) / 60))}m`;
  return `${Math.floor(whole / 86400)}d${two(Math.floor((whole % 86400) / 3600))}h`;
}

/** The time since `iso`. */
export function ago(iso: string): string {
  return span((Date.now() - Date.parse(iso)) / 1000);
}

/** 300000 → "300,000". */
export function formatted(value: number): string {
  return value.toLocaleString('en');
}

/** "3 peers", "1 peer". */
export function counted(value: number, one: string, many = `${one}s`): string {
  return `${formatted(value)} ${value === 1 ? one : many}`;
}
