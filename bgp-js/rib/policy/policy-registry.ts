/** The policies of a speaker, each with its runs by direction and family. */
import type { Family } from '../../wire/families.ts';
import type { AttributeTable } from '../store/attribute-table.ts';
import { type CompiledPolicy, compilePolicies, NO_POLICY } from './policy.ts';
import type { PolicySet } from './policy-data.ts';
import { type Direction, PolicyRun } from './policy-run.ts';

/** The part of a peer's configuration that decides its policies. */
export interface PolicyChoice {
  importPolicy?: string;
  exportPolicy?: string;
  requirePolicy?: boolean;
}

/** Compiled policies by name, and their runs. */
export class PolicyRegistry {
  private policies = new Map<string, CompiledPolicy>();
  private readonly runs = new Map<string, PolicyRun>();
  private readonly table: AttributeTable;
  /** The AS number that `prepend` without one prepends. */
  localAs = 0;

  constructor(table: AttributeTable) {
    this.table = table;
  }

  /**
   * Replaces the policies. One that says the same as before stays, with its hits. Throws PolicyError, and changes nothing
   * then. Runs of the old policies stay valid until `dropUnused`. With `keepOthers`, policies that the set does not have
   * stay as well, for peers that still name them.
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

  /** Drops the runs of policies that no longer exist; none of them may be used any more. */
  dropUnused(): void {
    const ids = new Set([NO_POLICY.id, ...[...this.policies.values()].map(({ id }) => id)]);
    for (const [key, run] of this.runs) {
      if (ids.has(run.policy.id)) continue;
      run.clear();
      this.runs.delete(key);
    }
  }

  /** Clears the memory of all runs, and so releases the sets of attributes in it. */
  clearMemos(): void {
    for (const run of this.runs.values()) run.clear();
  }

  /**
   * The number of a peer's policy, or undefined when it has none and needs none. An eBGP peer needs one unless configured
   * otherwise (RFC 8212). A name that no policy has rejects all routes.
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

  /** All policies. */
  list(): CompiledPolicy[] {
    return [...this.policies.values()];
  }
}
