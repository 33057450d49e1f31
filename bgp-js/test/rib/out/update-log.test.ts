import assert from 'node:assert/strict';
import { type LogReader, LogStretch, readLog, type Target, UpdateLog } from '../../../rib/out/update-log.ts';
import type { SourceId } from '../../../rib/store/ids.ts';

const LIMIT = 65536;

function logOf(targets: readonly Target[]): UpdateLog {
  const log = new UpdateLog();
  targets.forEach((target, i) => {
    log.append(Uint8Array.of(i), 1, target);
  });
  return log;
}

const reader = (source: number, position = 0): LogReader => ({
  source: source as SourceId,
  position,
  updatesSent: 0,
});
const octetsOf = (part: Uint8Array) => [...part];
const octets = (parts: readonly Uint8Array[] | null) => parts && [...Buffer.concat(parts)];

describe('reading an update log', () => {
  // For all; for all but 7; for 7 alone.
  const targets = [0, 7, -7, 0];

  it('returns the entries that are for the reader, adjacent ones as one part', () => {
    const parts: Uint8Array[] = [];
    const other = reader(3);
    assert.equal(readLog(logOf(targets), other, LIMIT, parts), 3);
    assert.deepEqual(parts.map(octetsOf), [[0, 1], [3]]);
    assert.deepEqual(other, { source: 3, position: 4, updatesSent: 3 });
    const named: Uint8Array[] = [];
    readLog(logOf(targets), reader(7), LIMIT, named);
    assert.deepEqual(named.map(octetsOf), [[0], [2, 3]]);
  });

  it('stops after the entry that reaches the limit', () => {
    const slow = reader(3);
    readLog(logOf([0, 0, 0]), slow, 2, []);
    assert.equal(slow.position, 2);
  });

  it('hands the same parts to all readers of the same entries, and none to a reader of others', () => {
    const log = logOf(targets);
    const stretch = new LogStretch();
    const [first, second, named] = [reader(3), reader(4), reader(7)];
    const parts = stretch.read(log, first, LIMIT);
    assert.deepEqual(octets(parts), [0, 1, 3]);
    assert.equal(stretch.read(log, second, LIMIT), parts);
    assert.deepEqual(second, { source: 4, position: 4, updatesSent: 3 });
    assert.equal(stretch.read(log, named, LIMIT), null);
    assert.equal(named.position, 0);
  });

  it('returns null for more octets than the limit, and for a long stretch', () => {
    const stretch = new LogStretch();
    assert.equal(stretch.read(logOf([0, 0, 0]), reader(3), 2), null);
    assert.equal(stretch.read(logOf(new Array<Target>(100).fill(0)), reader(3), LIMIT), null);
  });

  it('includes entries appended since, from any position of the reader', () => {
    const log = logOf([0, 0]);
    const stretch = new LogStretch();
    const one = reader(3);
    stretch.read(log, one, LIMIT);
    log.append(Uint8Array.of(9), 1, 0);
    assert.deepEqual(octets(stretch.read(log, one, LIMIT)), [9]);
    assert.deepEqual(octets(stretch.read(log, reader(4, 1), LIMIT)), [1, 9]);
    assert.deepEqual(octets(stretch.read(log, one, LIMIT)), []);
  });
});
