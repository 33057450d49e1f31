/** The keys of routing policy in both daemons: lists, policies, and the names of policies on peers. */
import { compilePolicies, PolicyError, type PolicySet } from 'bgp-js';
import * as z from 'zod';
import type { KeyPath, Report } from './config.ts';
import { listAt, textAt, valueAt } from './content.ts';
import * as value from './values.ts';

/** The values of `export` that are not the name of a policy. */
const BUILT_IN_EXPORTS = ['own', 'all'] as const;

/** Prefixes, patterns and communities are text here; the BGP library parses them. */
const entries = value.list(value.text());
const number32 = value.integer(0, 0xffffffff);

/** The name of a list or policy: one word, for views and command lines. */
const NAME = /^[\w.:-]{1,64}$/;

function named<T extends z.ZodType>(element: T) {
  const type = z.record(z.string(), element, { error: 'is not a mapping; write "NAME: …" for each' });
  return z.preprocess((found) => found ?? {}, type);
}

const match = value.section({
  prefixes: z.optional(entries),
  families: z.optional(value.list(value.oneOf('ipv4-unicast', 'ipv6-unicast'))),
  communities: z.optional(value.section({ any: z.optional(entries), all: z.optional(entries) })),
  asPaths: z.optional(entries),
  peers: z.optional(entries),
  neighbourAs: z.optional(value.list(value.asNumber)),
  origins: z.optional(value.list(value.oneOf('IGP', 'EGP', 'incomplete'))),
  nextHops: z.optional(entries),
  sources: z.optional(value.list(value.oneOf('local', 'ebgp', 'ibgp'))),
});

const changes = value.section({
  localPref: z.optional(number32),
  med: z.optional(number32),
  medAdd: z.optional(value.integer(-0xffffffff, 0xffffffff)),
  communities: z.optional(
    value.section({ add: z.optional(entries), remove: z.optional(entries), replace: z.optional(entries) }),
  ),
  prepend: z.optional(
    value.section({ as: z.optional(value.asNumber), times: value.integer(1, 32).default(1) }),
  ),
  nextHop: z.optional(value.text(64)),
});

const rule = value.section({
  name: z.optional(value.text(64)),
  match: z.optional(match),
  set: z.optional(changes),
  action: value.oneOf('accept', 'reject', 'next'),
});

const policy = value.section({
  rules: value.list(rule),
  otherwise: value.oneOf('accept', 'reject').default('reject'),
});

/** The keys at the top of a file, all optional; docs/configuration.md lists them. */
export const policyKeys = {
  prefixLists: named(entries),
  asPathLists: named(entries),
  communityLists: named(entries),
  policies: named(policy),
};

/** The keys of a peer: the policies for routes received from it and advertised to it. */
export const peerPolicyKeys = { import: z.optional(value.text(64)), export: z.optional(value.text(64)) };

const policySection = z.object(policyKeys);

/** The lists and policies as the BGP library takes them. A rule without a name is named by its number. */
export function policySet(keys: z.output<typeof policySection>): PolicySet {
  const { prefixLists, asPathLists, communityLists } = keys;
  const policies = Object.entries(keys.policies).map(([name, { rules, otherwise }]) => {
    const named = rules.map((each, index) => ({ ...each, name: each.name ?? String(index + 1) }));
    return [name, { rules: named, otherwise }] as const;
  });
  return { prefixLists, asPathLists, communityLists, policies: Object.fromEntries(policies) };
}

/** The names of policy settings in the file (`DiffRules`). */
export const POLICY_NAMES = {
  'policies.prefixLists': 'prefixLists',
  'policies.asPathLists': 'asPathLists',
  'policies.communityLists': 'communityLists',
  'policies.policies': 'policies',
  '.importPolicy': 'import',
  '.exportPolicy': 'export',
};

/** Checks the policies, and their names on the peers of `list`. */
export function checkPolicies(content: unknown, list: 'peers' | 'clients', report: Report): void {
  checkNames(content, report);
  for (const index of listAt(content, [list]).keys()) checkPeer(content, [list, index], report);
  // The schema reports its own errors.
  const { success, data } = policySection.safeParse(content);
  if (!success) return;
  try {
    compilePolicies(policySet(data));
  } catch (error) {
    if (!(error instanceof PolicyError)) throw error;
    for (const { path, message } of error.problems) report([...path], message);
  }
}

const keysAt = (content: unknown, key: string): string[] => {
  const found = valueAt(content, [key]);
  return typeof found === 'object' && found !== null ? Object.keys(found) : [];
};

function checkNames(content: unknown, report: Report): void {
  for (const key of Object.keys(policyKeys)) {
    for (const name of keysAt(content, key)) {
      if (!NAME.test(name)) {
        report([key, name], 'has an invalid name; use up to 64 letters, digits, ".", "-", "_", ":"');
      }
    }
  }
  for (const name of BUILT_IN_EXPORTS) {
    if (valueAt(content, ['policies', name]) === undefined) continue;
    report(['policies', name], `has a reserved name: "export: ${name}" has a meaning of its own; rename it`);
  }
}

function checkPeer(content: unknown, path: KeyPath, report: Report): void {
  const known = keysAt(content, 'policies');
  for (const direction of ['import', 'export'] as const) {
    const name = textAt(content, [...path, direction]);
    const builtIn: readonly string[] = direction === 'export' && path[0] === 'peers' ? BUILT_IN_EXPORTS : [];
    if (name === undefined || known.includes(name) || builtIn.includes(name)) continue;
    const choice = [...builtIn, ...known];
    const advice = choice.length > 0 ? `use one of ${choice.join(', ')}` : 'add it under "policies"';
    report([...path, direction], `is not a policy of this file; ${advice}`);
  }
}
