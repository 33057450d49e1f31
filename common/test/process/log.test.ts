import assert from 'node:assert/strict';
import { fstatSync } from 'node:fs';
import { EventLog } from '../../process/events.ts';
import { createLogger, type LogOptions, styleOf } from '../../process/log.ts';

function capture(options: Partial<LogOptions> = {}) {
  const lines: string[] = [];
  const destination = { write: (line: string) => void lines.push(line) };
  return { lines, log: createLogger({ level: 'info', format: 'text', destination, ...options }) };
}

describe('log', () => {
  it('writes one line per entry: time, level, subject, text, fields', () => {
    const { lines, log } = capture();
    log.child({ subject: 'n2' }).info({ holdTime: 90, text: 'a b' }, 'established');
    assert.equal(lines.length, 1);
    assert.match(
      lines[0],
      /^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d{3} info {2}n2: established holdTime=90 text="a b"\n$/,
    );
  });

  it('escapes control characters in foreign text', () => {
    const { lines, log } = capture();
    log.warn(
      { subject: 'n\u001b[2J', reason: 'x\ny\u009b' },
      'shutdown: "\u001b[31mred\u2028\n2026-01-01 info forged"',
    );
    assert.equal(lines.length, 1);
    assert.equal(lines[0].indexOf('\n'), lines[0].length - 1);
    // biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what must not be there.
    assert.doesNotMatch(lines[0].slice(0, -1), /[\u0000-\u001f\u007f-\u009f\u2028]/);
  });

  it('writes the message of an error, and its stack if it has no code', () => {
    const { lines, log } = capture();
    log.error({ err: new Error('broken') }, 'failed');
    log.error({ err: Object.assign(new Error('no such file'), { code: 'ENOENT' }) }, 'failed');
    assert.match(lines[0], /failed error="Error: broken" at=\[".*log\.test\.ts/);
    assert.match(lines[1], /failed error="Error: no such file"\n$/);
  });

  it('writes JSON with the same content', () => {
    const { lines, log } = capture({ format: 'json' });
    log.info({ subject: 'n2' }, 'established');
    const entry = JSON.parse(lines[0]);
    assert.deepEqual({ ...entry, time: '' }, { level: 'info', time: '', subject: 'n2', msg: 'established' });
    assert.ok(!Number.isNaN(Date.parse(entry.time)));
  });

  it('omits entries below its level, which can change at run time', () => {
    const { lines, log } = capture({ level: 'warn' });
    log.info('no');
    log.level = 'info';
    log.info('yes');
    assert.equal(lines.length, 1);
  });

  it('uses colours on a terminal without NO_COLOR, and priorities in the journal', () => {
    assert.deepEqual(styleOf({ isTTY: true }, {}), { colour: true, time: true, priority: false });
    assert.equal(styleOf({ isTTY: true }, { NO_COLOR: '1' }).colour, false);
    const { dev, ino } = fstatSync(2);
    const journal = styleOf({}, { JOURNAL_STREAM: `${dev}:${ino}` });
    assert.deepEqual(journal, { colour: false, time: false, priority: true });
    assert.equal(styleOf({}, { JOURNAL_STREAM: '0:0' }).priority, false);
  });
});

describe('events', () => {
  it('keeps the latest ones, newest last, and logs all of them', () => {
    const { lines, log } = capture();
    const events = new EventLog(log, 3);
    assert.deepEqual(events.recent(), []);
    for (const text of ['a', 'b', 'c', 'd', 'e']) events.info('n2', text);
    events.error('n3', 'f');
    assert.deepEqual(
      events.recent().map((event) => `${event.level} ${event.subject} ${event.text}`),
      ['info n2 d', 'info n2 e', 'error n3 f'],
    );
    assert.deepEqual(
      events.recent(1).map((event) => event.text),
      ['f'],
    );
    assert.deepEqual(events.recent(0), []);
    assert.equal(lines.length, 6);
    assert.match(lines[5], / error n3: f\n$/);
  });
});
