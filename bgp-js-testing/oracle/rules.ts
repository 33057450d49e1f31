/** Seeded policies with which a network still has exactly one stable state (docs/testing.md). */

import type { Random } from '../simulator/random.ts';
import type { PrefixPlan } from '../simulator/topology.ts';
import type { ModelRule } from './model.ts';

/** Communities that policies add and match; they have no other meaning. */
const MARKS = [1, 2, 3].map((value) => 65000 * 65536 + value);

/** Where the rules apply. */
export interface RuleSetting {
  prefixes: readonly PrefixPlan[];
  /** AS numbers in the network. */
  ases: readonly number[];
  /** The rules are for export to another AS. */
  mayPrepend: boolean;
}

/** Some rules; null for no policy. */
export function randomRules(random: Random, setting: RuleSetting): readonly ModelRule[] | null {
  if (random.chance(0.25)) return null;
  return Array.from({ length: 1 + random.below(3) }, () => randomRule(random, setting));
}

function randomRule(random: Random, { prefixes, ases, mayPrepend }: RuleSetting): ModelRule {
  const plan = random.chance(0.7) ? random.pick(prefixes) : null;
  const action = random.pick(['accept', 'reject', 'next', 'next'] as const);
  const changes = action !== 'reject';
  return {
    within: plan && (random.chance(0.8) ? plan.prefix : '10.244.0.0/16'),
    community: random.chance(0.3) ? random.pick(MARKS) : null,
    neighbourAs: random.chance(0.2) ? random.pick(ases) : null,
    action,
    addCommunity: changes && random.chance(0.6) ? random.pick(MARKS) : null,
    // MED only decides between paths of equal length; a policy that sets it must not change the length.
    prepend: changes && mayPrepend && plan && !plan.med && random.chance(0.4) ? 1 + random.below(2) : 0,
  };
}
