/** Plants one bug for each test; the seeds must find it. */
import assert from 'node:assert/strict';
import { DECISION_STEPS, type DecisionStep } from 'bgp-js/rib/decision.ts';
import { DirtyQueue } from 'bgp-js/rib/dirty-queue.ts';
import { FamilyRib } from 'bgp-js/rib/family-rib.ts';
import { UpdatePacker } from 'bgp-js/rib/out/update-packer.ts';
import { PolicyRun } from 'bgp-js/rib/policy/policy-run.ts';
import { Routing } from 'bgp-js/rib/routing.ts';
import { AttributeTable } from 'bgp-js/rib/store/attribute-table.ts';
import type { AttrsId, PrefixId } from 'bgp-js/rib/store/ids.ts';
import { runScenario, SCENARIOS } from '../../simulator/scenario.ts';

/** How many seeds may be needed to find a planted bug. */
const SEEDS = 100;

/** Replaces a method or field during the search and restores it afterwards. */
function planted<T extends object, K extends keyof T>(
  where: T,
  name: K,
  bug: T[K],
  search: () => void,
): void {
  const whole = Object.getOwnPropertyDescriptor(where, name);
  assert.ok(whole);
  Object.defineProperty(where, name, { ...whole, value: bug });
  try {
    search();
  } finally {
    Object.defineProperty(where, name, whole);
  }
}

/** The first run that fails. */
function found(): string | null {
  for (let seed = 1; seed <= SEEDS; seed++) {
    for (const scenario of SCENARIOS) {
      if (runScenario(scenario, seed).problems.length > 0) return `${scenario}, seed ${seed}`;
    }
  }
  return null;
}

describe('planted bugs', () => {
  for (const name of ['higher LOCAL_PREF', 'shorter AS_PATH', 'lower MED', 'lower BGP identifier']) {
    it(`finds a decision process without the step "${name}"`, function () {
      this.timeout(60_000);
      const step = DECISION_STEPS.find((candidate) => candidate.name === name) as DecisionStep;
      planted(
        step,
        'measure',
        () => 0,
        () => assert.notEqual(found(), null),
      );
    });
  }

  it('finds withdrawals that are dropped now and then', function () {
    this.timeout(60_000);
    const { withdraw } = UpdatePacker.prototype;
    let count = 0;
    const bug = function (this: UpdatePacker, id: PrefixId, addPathId: number, target: number): void {
      if (++count % 50 !== 0) withdraw.call(this, id, addPathId, target);
    };
    planted(UpdatePacker.prototype, 'withdraw', bug, () => assert.notEqual(found(), null));
  });

  it('finds dirty marks that are lost now and then', function () {
    this.timeout(60_000);
    const { mark } = DirtyQueue.prototype;
    let count = 0;
    const bug = function (this: DirtyQueue, id: PrefixId): void {
      if (++count % 200 !== 0) mark.call(this, id);
    };
    planted(DirtyQueue.prototype, 'mark', bug, () => assert.notEqual(found(), null));
  });

  it('finds routes that stay after their session', function () {
    this.timeout(60_000);
    planted(
      FamilyRib.prototype,
      'sweep',
      () => 0,
      () => assert.notEqual(found(), null),
    );
  });

  it('finds routes that stay stale after a restart', function () {
    this.timeout(60_000);
    planted(
      FamilyRib.prototype,
      'sweepStale',
      () => 0,
      () => assert.notEqual(found(), null),
    );
  });

  it('finds a change of policy that does not evaluate routes again', function () {
    this.timeout(60_000);
    planted(
      Routing.prototype,
      'revalidate',
      () => undefined,
      () => assert.notEqual(found(), null),
    );
  });

  it('finds a policy that now and then does nothing', function () {
    this.timeout(60_000);
    const { evaluate } = PolicyRun.prototype;
    let count = 0;
    const bug: typeof evaluate = function (this: PolicyRun, attrs, ...where) {
      return ++count % 20 === 0 ? attrs : evaluate.call(this, attrs, ...where);
    };
    planted(PolicyRun.prototype, 'evaluate', bug, () => assert.notEqual(found(), null));
  });

  it('finds a set of attributes that is not released', function () {
    this.timeout(60_000);
    const { release } = AttributeTable.prototype;
    let count = 0;
    const bug = function (this: AttributeTable, attrs: AttrsId): void {
      if (++count % 500 !== 0) release.call(this, attrs);
    };
    planted(AttributeTable.prototype, 'release', bug, () => assert.notEqual(found(), null));
  });

  it('finds nothing without a planted bug', function () {
    this.timeout(60_000);
    assert.equal(found(), null);
  });
});
