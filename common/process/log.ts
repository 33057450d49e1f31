/** The daemons' log: human-readable text, or JSON for collectors; one line per entry. */
import { fstatSync } from 'node:fs';
import { type DestinationStream, type LevelWithSilent, type Logger, pino, stdTimeFunctions } from 'pino';

export type { Logger } from 'pino';

/** Level and format as in the `log` section of the configuration. */
export interface LogOptions {
  level: LevelWithSilent;
  format: 'auto' | 'text' | 'json';
  /** Where entries go; standard error by default. */
  destination?: DestinationStream;
}

/** How the text format adapts to its reader. */
interface TextStyle {
  colour: boolean;
  /** False for the journal, which adds the time itself. */
  time: boolean;
  /** Start with "<N>" (sd-daemon(3)), so that `journalctl -p warning` works. */
  priority: boolean;
}

/**
 * Creates a logger. `auto` and `text` both write text: coloured on a terminal, and with priorities instead of times in
 * the systemd journal, so journalctl is enough to read it. `json` writes JSON. In text, the field `subject` (what the
 * entry is about) precedes the message.
 */
export function createLogger(options: LogOptions): Logger {
  const base = {
    level: options.level,
    base: null,
    timestamp: stdTimeFunctions.isoTime,
    formatters: { level: (label: string) => ({ level: label }) },
  };
  const destination = options.destination ?? pino.destination({ dest: 2, sync: true });
  if (options.format === 'json') return pino(base, destination);
  const style = options.destination === undefined ? styleOf(process.stderr, process.env) : PLAIN;
  return pino(base, { write: (line: string) => destination.write(`${textLine(JSON.parse(line), style)}\n`) });
}

const PLAIN: TextStyle = { colour: false, time: true, priority: false };

/** The style for standard error, which may be a terminal, the journal or a file. */
export function styleOf(stream: { isTTY?: boolean }, environment: NodeJS.ProcessEnv): TextStyle {
  if (stream.isTTY) return { colour: !environment.NO_COLOR, time: true, priority: false };
  // systemd.exec(5): JOURNAL_STREAM names device and inode of the stream that leads to the journal.
  if (environment.JOURNAL_STREAM === undefined) return PLAIN;
  const { dev, ino } = fstatSync(2);
  return environment.JOURNAL_STREAM === `${dev}:${ino}`
    ? { colour: false, time: false, priority: true }
    : PLAIN;
}

const PRIORITIES: Record<string, number> = { fatal: 2, error: 3, warn: 4, info: 6, debug: 7, trace: 7 };
const FORMATTED = new Set(['time', 'level', 'msg', 'subject', 'err']);

/** ANSI colours of a level, the time and the subject. */
const COLOURS: Record<string, number> = { fatal: 31, error: 31, warn: 33, time: 90, subject: 36, field: 90 };

/** An entry as one line of text. */
function textLine(entry: Record<string, unknown>, style: TextStyle): string {
  const paint = (what: string, text: string): string => {
    const code = COLOURS[what];
    return style.colour && code !== undefined ? `\u001b[${code}m${text}\u001b[39m` : text;
  };
  const level = String(entry.level);
  const parts: string[] = [];
  if (style.time) parts.push(paint('time', clockTime(String(entry.time))));
  parts.push(paint(level, level.padEnd(5)));
  if (entry.subject !== undefined) parts.push(`${paint('subject', visible(entry.subject))}:`);
  parts.push(visible(entry.msg ?? ''));
  for (const [key, value] of Object.entries(entry)) {
    if (!FORMATTED.has(key)) parts.push(paint('field', `${key}=${fieldText(value)}`));
  }
  const priority = style.priority ? `<${PRIORITIES[level] ?? 6}>` : '';
  return priority + parts.join(' ') + errorText(entry.err);
}

/** "2026-11-21 00:41:02.123", in the local time of the machine. */
function clockTime(iso: string): string {
  const time = new Date(iso);
  const local = new Date(time.getTime() - time.getTimezoneOffset() * 60_000);
  return local.toISOString().replace('T', ' ').replace('Z', '');
}

function fieldText(value: unknown): string {
  const text = typeof value === 'object' && value !== null ? JSON.stringify(value) : String(value);
  return visible(/[\s"=]/.test(text) || text === '' ? JSON.stringify(text) : text);
}

/** Escapes control characters: text from peers and pods must not break the line or control the terminal. */
function visible(value: unknown): string {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what is looked for.
  return String(value).replace(/[\u0000-\u001f\u007f-\u009f\u2028\u2029]/g, (character) => {
    return `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`;
  });
}

/** The message of an error, and its stack unless it has a code: then it is an answer of the system and not a defect. */
function errorText(error: unknown): string {
  if (typeof error !== 'object' || error === null) return '';
  const { type, message, stack, code } = error as Record<string, unknown>;
  const text = ` error=${fieldText(`${type}: ${message}`)}`;
  if (code !== undefined || typeof stack !== 'string') return text;
  const frames = stack.split('\n').filter((line) => /^\s+at /.test(line));
  return `${text} at=${JSON.stringify(frames.slice(0, 6).map((line) => line.trim().slice(3)))}`;
}
