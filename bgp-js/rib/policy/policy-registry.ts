/** The policies that a speaker has, each with its runs in both directions. */
import type { Family } from '../../wire/families.ts';
import type { AttributeTable } from '../store/attribute-table.ts';
import { type CompiledPolicy, compilePolicies, NO_POLICY } from './policy.ts';
import type { PolicySet } from './policy-data.ts';
import { type Direction, PolicyRun } from './policy-run.ts';

/** What of a peer's configuration decides its policies. */
export interface PolicyChoice {
  importPolicy?: string;
  exportPolicy?: string;
  requirePolicy?: boolean;
}

export class PolicyRegistry {
  private policies = new Map<string, CompiledPolicy>();
  private readonly runs = new Map<string, PolicyRun>();
  private readonly table: AttributeTable;
  /** What `prepend` without an AS number puts in front. */
  localAs = 0;

  constructor(table: AttributeTable) {
    this.table = table;
  }

  /**
   * Takes over a set of policies. One that says the same as before stays as it is, with its hits. Throws PolicyError,
   * and nothing is changed then. The runs of the former policies stay sound until `dropUnused`. With `keepOthers` those
   * that the set does not have stay: until no peer names them any more.
   */
  replace(set: PolicySet, keepOthers = false): void {
    const next = compilePolicies(set);
    if (keepOthers) for (const [name, old] of this.policies) if (!next.has(name)) next.set(name, old);
    for (const [name, policy] of next) {
      const old = this.policies.get(name);
      if (old && old.text === policy.text) next.set(name, old);
    }
    this.policies = next;
  }

  /** Lets go of what policies that are no longer there remember; nobody may use their runs any more. */
  dropUnused(): void {
    const ids = new Set([NO_POLICY.id, ...[...this.policies.values()].map(({ id }) => id)]);
    for (const [key, run] of this.runs) {
      if (ids.has(run.policy.id)) continue;
      run.clear();
      this.runs.delete(key);
    }
  }

  /** Lets go of all sets of attributes that policies remember; what they are asked again they find out again. */
  forget(): void {
    for (const run of this.runs.values()) run.clear();
  }

  /**
   * The number of a peer's policy, or undefined when it has none and needs none. RFC 8212: an eBGP peer needs one unless
   * it is told otherwise; a name that no policy has lets nothing through, whoever the peer is.
   */
  idFor(choice: PolicyChoice, direction: Direction, ebgp: boolean): number | undefined {
    const name = direction === 'import' ? choice.importPolicy : choice.exportPolicy;
    if (name === undefined) return ebgp && choice.requirePolicy !== false ? NO_POLICY.id : undefined;
    return (this.policies.get(name) ?? NO_POLICY).id;
  }

  /** The run of the policy with this number; null for undefined. */
  run(id: number | undefined, direction: Direction, family: Family): PolicyRun | null {
    if (id === undefined) return null;
    const key = `${id}/${direction}/${family.name}`;
    const known = this.runs.get(key);
    if (known) return known;
    const policy = this.list().find((candidate) => candidate.id === id) ?? NO_POLICY;
    const run = new PolicyRun(policy, direction, this.table, family, this.localAs);
    this.runs.set(key, run);
    return run;
  }

  /** All policies, for people. */
  list(): CompiledPolicy[] {
    return [...this.policies.values()];
  }
}
