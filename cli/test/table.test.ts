import assert from 'node:assert/strict';
import fc from 'fast-check';
import { type Column, clean, span, tableLines, truncate, wrap } from '../table.ts';

interface Row {
  name: string;
  count: number;
  note: string;
}

const COLUMNS: Column<Row>[] = [
  { title: 'NAME', shrink: 6, cell: (row) => row.name },
  { title: 'COUNT', right: true, cell: (row) => row.count },
  { title: 'NOTE', shrink: 8, cell: (row) => row.note },
];

describe('tables', () => {
  it('align text at the left and numbers at the right, without spaces at the end of lines', () => {
    const rows = [
      { name: 'n1', count: 7, note: '' },
      { name: 'longer', count: 1234567, note: 'x' },
    ];
    assert.deepEqual(tableLines(rows, COLUMNS, 100), [
      'NAME        COUNT  NOTE',
      'n1              7',
      'longer  1,234,567  x',
    ]);
  });

  it('cut the widest columns first, and only those that may shrink', () => {
    const rows = [{ name: 'n1-of-rack-7', count: 1234567, note: 'a rather long note about it' }];
    const lines = tableLines(rows, COLUMNS, 40);
    assert.equal(lines[1], 'n1-of-rack-7  1,234,567  a rather long …');
    assert.ok([...lines[1]].length <= 40);
  });

  it('are never wider than requested while columns can shrink', () => {
    const row = fc.record({ name: fc.string({ unit: 'grapheme' }), count: fc.nat(), note: fc.string() });
    fc.assert(
      fc.property(fc.array(row, { maxLength: 5 }), fc.integer({ min: 40, max: 120 }), (rows, width) => {
        for (const line of tableLines(rows, COLUMNS, width)) assert.ok([...line].length <= width, line);
      }),
    );
  });

  it('replace control characters in foreign text', () => {
    assert.equal(clean('a\u001b[2Jb\nc\u009bd'), 'a·[2Jb·c·d');
    assert.match(
      tableLines([{ name: 'x\u001b]0;t\u0007', count: 1, note: '' }], COLUMNS, 80)[1],
      /^x·\]0;t·/,
    );
  });

  it('truncate, wrap and format times', () => {
    assert.equal(truncate('abcdef', 4), 'abc…');
    assert.equal(truncate('abcd', 4), 'abcd');
    assert.deepEqual(wrap('one two three', 7), ['one two', 'three']);
    assert.deepEqual(wrap('unbreakable', 4), ['unbreakable']);
    assert.deepEqual([0, 59.9, 61, 3660, 90_000].map(span), ['0s', '59s', '1m01s', '1h01m', '1d01h']);
  });
});
