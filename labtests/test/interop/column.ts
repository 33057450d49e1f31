/** The matrix's column of one kind of router as tests: the cells run concurrently before the first test. */

import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type CellOutcome, cellsOf, runCell } from '../../interop/matrix.ts';
import { ROUTER_NAMES } from '../../interop/peers/index.ts';
import type { RouterKind } from '../../interop/peers/router.ts';
import { verify } from '../../interop/verify.ts';
import { mapLimit } from '../../lab/wait.ts';

/** Cells run at once, because they mostly wait for sessions and timers. */
const AT_ONCE = 4;

/** Declares the tests of a column: one for each row, and one that decodes what we sent with other codecs. */
export function describeColumn(kind: RouterKind): void {
  describe(`interoperation with ${ROUTER_NAMES[kind]}`, () => {
    const cells = cellsOf([kind]);
    const folder = mkdtempSync(join(tmpdir(), 'flatroute-interop-'));
    let outcomes: CellOutcome[] = [];

    before(async function () {
      this.timeout(240_000);
      outcomes = await mapLimit(cells, AT_ONCE, (cell) => runCell(cell, folder));
    });
    after(() => rmSync(folder, { recursive: true }));

    for (const { row } of cells) {
      it(`${row.name}: ${row.title}`, () => {
        const outcome = outcomes.find(({ cell }) => cell.row === row);
        assert.ok(outcome);
        assert.notEqual(outcome.status, 'failed', outcome.text);
      });
    }

    it('tshark and scapy read the announced prefixes in what we sent, and find nothing wrong', async function () {
      this.timeout(120_000);
      const { messages, routes, complaints } = await verify(outcomes, folder);
      assert.deepEqual(complaints, []);
      assert.ok(
        messages >= 3 * cells.length && routes >= cells.length / 2,
        `${messages} messages, ${routes} routes`,
      );
    });
  });
}
