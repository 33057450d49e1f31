/** Compiled policies, with a count of hits for every rule. */
import { type Changer, compileChanges } from './policy-changes.ts';
import { type Conditions, compileConditions, PolicyLists } from './policy-conditions.ts';
import {
  type PolicyData,
  PolicyError,
  type PolicyMatch,
  type PolicyProblem,
  type PolicySet,
} from './policy-data.ts';

/** A compiled rule. */
export interface CompiledRule {
  name: string;
  conditions: Conditions;
  change: Changer | null;
  action: 'accept' | 'reject' | 'next';
  /** Routes to which it was applied. */
  hits: number;
}

/** A compiled policy; every change gives it another `id`. */
export interface CompiledPolicy {
  id: number;
  name: string;
  rules: readonly CompiledRule[];
  otherwise: 'accept' | 'reject';
  /** Routes that no rule accepted or rejected. */
  otherwiseHits: number;
  /** The data with all lists that it names, as a text: equal for policies that do the same. */
  text: string;
}

let lastId = 0;

/** Compiles all policies of a set. Throws PolicyError with all mistakes. */
export function compilePolicies(set: PolicySet): Map<string, CompiledPolicy> {
  const problems: PolicyProblem[] = [];
  const lists = new PolicyLists(set, problems);
  const policies = new Map<string, CompiledPolicy>();
  for (const [name, data] of Object.entries(set.policies ?? {})) {
    policies.set(name, compilePolicy(name, data, lists, set));
  }
  if (problems.length > 0) throw new PolicyError(problems);
  return policies;
}

function compilePolicy(name: string, data: PolicyData, lists: PolicyLists, set: PolicySet): CompiledPolicy {
  const names = new Map<string, number>();
  const rules = data.rules.map(
    ({ name: ruleName, match = {}, set: changes, action }, index): CompiledRule => {
      const path = ['policies', name, 'rules', index];
      const twin = names.get(ruleName);
      if (twin !== undefined)
        lists.fail([...path, 'name'], `is also the name of rule ${twin + 1}; choose another name`);
      names.set(ruleName, index);
      if (changes && action === 'reject') {
        lists.fail([...path, 'set'], 'changes a route that the rule rejects; remove it');
      }
      return {
        name: ruleName,
        conditions: compileConditions(match, lists, [...path, 'match']),
        change: changes ? compileChanges(changes, lists, [...path, 'set']) : null,
        action,
        hits: 0,
      };
    },
  );
  const text = JSON.stringify([data, listsOf(data, set)]);
  return { id: ++lastId, name, rules, otherwise: data.otherwise, otherwiseHits: 0, text };
}

/** The lists that a policy names, so that a change of one of them is a change of the policy. */
function listsOf(data: PolicyData, set: PolicySet): unknown[] {
  const matches = data.rules.flatMap(({ match }): PolicyMatch[] => (match ? [match] : []));
  const pick = (lists: Readonly<Record<string, readonly string[]>> = {}, names: readonly string[]) =>
    names.flatMap((name) => (Object.hasOwn(lists, name) ? [[name, lists[name]]] : []));
  const communities = [
    ...matches.flatMap((match) => [...(match.communities?.any ?? []), ...(match.communities?.all ?? [])]),
    ...data.rules.flatMap(({ set: changes }) => {
      const { add = [], remove = [], replace = [] } = changes?.communities ?? {};
      return [...add, ...remove, ...replace];
    }),
  ];
  return [
    pick(
      set.prefixLists,
      matches.flatMap(({ prefixes = [] }) => prefixes),
    ),
    pick(
      set.asPathLists,
      matches.flatMap(({ asPaths = [] }) => asPaths),
    ),
    pick(set.communityLists, communities),
  ];
}

/** The policy of an eBGP peer without one (RFC 8212 §2): rejects all routes. Its name is empty. */
export const NO_POLICY: CompiledPolicy = {
  id: 0,
  name: '',
  rules: [],
  otherwise: 'reject',
  otherwiseHits: 0,
  text: '',
};
