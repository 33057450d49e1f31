/** The daemons' log: human-readable text, or JSON for collectors; one line per entry. */
import { fstatSync } from 'node:fs';

const LEVELS = ['debug', 'info', 'warn', 'error', 'fatal', 'silent'] as const;
export type LogLevel = (typeof LEVELS)[number];

/** Logs a text, or fields and a text. A field `err` is an error. */
interface LogMethod {
  (text: string): void;
  (fields: object, text: string): void;
}

export interface Logger {
  /** Entries below this level are omitted; it may change at run time. */
  level: LogLevel;
  readonly debug: LogMethod;
  readonly info: LogMethod;
  readonly warn: LogMethod;
  readonly error: LogMethod;
  readonly fatal: LogMethod;
}

/** Level and format as in the `log` section of the configuration. */
export interface LogOptions {
  level: LogLevel;
  format: 'auto' | 'text' | 'json';
  /** Where entries go; standard error by default, which Node.js writes to synchronously. */
  destination?: { write(line: string): unknown };
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
  const { destination = process.stderr, format } = options;
  const style = options.destination === undefined ? styleOf(process.stderr, process.env) : PLAIN;
  const at =
    (level: LogLevel): LogMethod =>
    (first: string | object, text?: string) => {
      if (LEVELS.indexOf(level) < LEVELS.indexOf(logger.level)) return;
      const json = typeof first === 'string' ? entryOf(level, {}, first) : entryOf(level, first, text ?? '');
      destination.write(format === 'json' ? `${json}\n` : `${textLine(JSON.parse(json), style)}\n`);
    };
  const logger: Logger = {
    level: options.level,
    debug: at('debug'),
    info: at('info'),
    warn: at('warn'),
    error: at('error'),
    fatal: at('fatal'),
  };
  return logger;
}

/** An entry as JSON. Fields that JSON cannot express are omitted: a log line never throws. */
function entryOf(level: LogLevel, fields: object, msg: string): string {
  const head = { level, time: new Date().toISOString() };
  const err = 'err' in fields && fields.err instanceof Error ? { err: errorFields(fields.err) } : {};
  try {
    return JSON.stringify({ ...head, ...fields, ...err, msg });
  } catch {
    return JSON.stringify({ ...head, msg });
  }
}

/** An error with its type, its stack, its own fields such as `code`, and the stacks of its causes. */
function errorFields(error: Error): object {
  const { cause, ...own } = error;
  const isCaused = error.cause instanceof Error;
  const origin = isCaused ? `\ncaused by: ${(error.cause as Error).stack}` : '';
  return {
    ...own,
    type: error.constructor.name,
    message: error.message,
    stack: `${error.stack}${origin}`,
  };
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
