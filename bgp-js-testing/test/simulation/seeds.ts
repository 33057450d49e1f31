import assert from 'node:assert/strict';
import { report, runScenario } from '../../simulator/scenario.ts';

/** How many seeds of each scenario a test run tries, in tests of `BLOCK` each. */
const SEEDS = 260;
const BLOCK = 20;

/** The tests of a scenario, with its seeds from 1 on. */
export function testSeeds(scenario: string): void {
  describe(`${scenario}: every RIB equals the oracle's`, () => {
    for (let first = 1; first <= SEEDS; first += BLOCK) {
      it(`seeds ${first}–${first + BLOCK - 1}`, () => {
        const failures: string[] = [];
        for (let seed = first; seed < first + BLOCK; seed++) {
          const outcome = runScenario(scenario, seed);
          if (outcome.problems.length > 0) failures.push(report(outcome));
          else assert.ok(outcome.quietPoints >= 5, `seed ${seed} was compared ${outcome.quietPoints} times`);
        }
        assert.equal(failures.length, 0, failures.join('\n'));
      });
    }
  });
}
