/** The keys of routing policy, which both daemons have: lists, policies, and the names of them on peers. */
import { compilePolicies, PolicyError, type PolicySet } from 'bgp-js';
import * as z from 'zod';
import type { KeyPath, Report } from './config.ts';
import { listAt, textAt, valueAt } from './content.ts';
import * as value from './values.ts';

/** What `export` may say besides the name of a policy: what is there without one. */
export const BUILT_IN_EXPORTS = ['own', 'all'] as const;

/** Prefixes, patterns and communities are read by the BGP library; here they are text. */
const entries = value.list(value.text());
const number32 = value.integer(0, 0xffffffff);

/** A name of a list or a policy: one word, so that it can stand in a view and on a command line. */
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

/** The keys at the top of a file, all of them optional; docs/configuration.md lists them. */
export const policyKeys = {
  prefixLists: named(entries),
  asPathLists: named(entries),
  communityLists: named(entries),
  policies: named(policy),
};

/** The keys of a peer: the policies for what comes from it and what it is shown. */
export const peerPolicyKeys = { import: z.optional(value.text(64)), export: z.optional(value.text(64)) };

const policySection = z.object(policyKeys);

/** The lists and policies as the BGP library takes them. A rule without a name is called by its number. */
export function policySet(keys: z.output<typeof policySection>): PolicySet {
  const { prefixLists, asPathLists, communityLists } = keys;
  const policies = Object.entries(keys.policies).map(([name, { rules, otherwise }]) => {
    const named = rules.map((each, index) => ({ ...each, name: each.name ?? String(index + 1) }));
    return [name, { rules: named, otherwise }] as const;
  });
  return { prefixLists, asPathLists, communityLists, policies: Object.fromEntries(policies) };
}

/** How the settings of policies are called in a file, for a reload that tells what has changed. */
export const POLICY_NAMES = {
  'policies.prefixLists': 'prefixLists',
  'policies.asPathLists': 'asPathLists',
  'policies.communityLists': 'communityLists',
  'policies.policies': 'policies',
  '.importPolicy': 'import',
  '.exportPolicy': 'export',
};

/** The rules of policies, and of the names of them in the list of peers. */
export function checkPolicies(content: unknown, list: 'peers' | 'clients', report: Report): void {
  checkNames(content, report);
  for (const index of listAt(content, [list]).keys()) checkPeer(content, [list, index], report);
  // What the schema does not take is reported by it.
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
