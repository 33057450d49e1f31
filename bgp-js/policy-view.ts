/** What policies made of routes, in words, for people: which rule decided, and how often each did. */
import type { Attachment } from './rib/channel.ts';
import { type FamilyRib, NO_PATH } from './rib/family-rib.ts';
import { PathState } from './rib/path-state.ts';
import { NO_POLICY } from './rib/policy/policy.ts';
import type { PolicyChoice } from './rib/policy/policy-registry.ts';
import { type Direction, verdictText } from './rib/policy/policy-run.ts';
import { NO_PREFIX } from './rib/prefix-table.ts';
import { mayExport } from './rib/treatment.ts';
import type { Peer } from './session/peer.ts';
import { isExternal } from './session-terms.ts';
import type { Speaker } from './speaker.ts';
import { parseRoute } from './wire/families.ts';

/** Whether a peer was told a route, and why or why not. */
export interface Telling {
  peer: string;
  told: boolean;
  reason: string;
}

/** A policy and its rules, with the routes to which each was applied since it was written or changed. */
export interface PolicyInfo {
  name: string;
  rules: { name: string; action: 'accept' | 'reject' | 'next'; hits: number }[];
  otherwise: { action: 'accept' | 'reject'; hits: number };
  /** The peers that name it, in either direction. */
  peers: { peer: string; direction: Direction }[];
}

/** All policies of a speaker. */
export function policyInfos(speaker: Speaker): PolicyInfo[] {
  const users = new Map<string, PolicyInfo['peers']>();
  for (const { name: peer, config } of speaker.peers) {
    for (const direction of ['import', 'export'] as const) {
      const name = chosen(config, direction);
      if (name === undefined) continue;
      const known = users.get(name);
      if (known) known.push({ peer, direction });
      else users.set(name, [{ peer, direction }]);
    }
  }
  return speaker.routing.policies.list().map(({ name, rules, otherwise, otherwiseHits }) => ({
    name,
    rules: rules.map(({ name: rule, action, hits }) => ({ name: rule, action, hits })),
    otherwise: { action: otherwise, hits: otherwiseHits },
    peers: users.get(name) ?? [],
  }));
}

const chosen = ({ importPolicy, exportPolicy }: PolicyChoice, direction: Direction): string | undefined =>
  direction === 'import' ? importPolicy : exportPolicy;

/** A peer's policies by their names; `missing`: it is an eBGP peer that needs one (RFC 8212), or has one that is not there. */
export function policiesOf(
  speaker: Speaker,
  { config }: Peer,
): Record<Direction, { name: string | null; missing: boolean }> {
  const external = isExternal(speaker.config, config, config.as);
  const use = (direction: Direction) => {
    const id = speaker.routing.policies.idFor(config, direction, external);
    return { name: chosen(config, direction) ?? null, missing: id === NO_POLICY.id };
  };
  return { import: use('import'), export: use('export') };
}

/** What the import policy of its peer says of a path; null where none has been asked. */
export function importVerdict(speaker: Speaker, rib: FamilyRib, prefix: number, path: number): string | null {
  const { routing } = speaker;
  const attachment = routing.attachmentOf(rib.sourceOf(path));
  const state = rib.stateOf(path);
  const judged = [PathState.usable, PathState.refusedByPolicy, PathState.noPolicy] as number[];
  const run = attachment && routing.policies.run(attachment.rules.policy, 'import', rib.family);
  if (!run || !judged.includes(state)) return null;
  const verdict = run.explain(rib.receivedOf(path), attachment.source, rib.prefixes.nlri(prefix), 0);
  return verdictText(verdict, 'import');
}

/** For every peer whether it was told the best route to exactly this prefix, and why. */
export function tellings(speaker: Speaker, prefix: string): Telling[] {
  const parsed = parseRoute(prefix);
  const rib = parsed && speaker.routing.ribOf(parsed.family);
  const id = rib ? rib.prefixes.find(parsed.nlri, 0) : NO_PREFIX;
  if (!rib || id === NO_PREFIX) return [];
  return [...speaker.peers].map((peer) => {
    const attachment = speaker.attachmentOf(peer);
    const route = attachment?.channels.get(rib.family)?.group.advertised(id);
    const told = !!attachment && !!route && route.source !== attachment.source.index;
    return { peer: peer.name, told, reason: reasonFor(speaker, rib, id, attachment) };
  });
}

function reasonFor(speaker: Speaker, rib: FamilyRib, id: number, attachment: Attachment | null): string {
  if (!attachment) return 'there is no session';
  const channel = attachment.channels.get(rib.family);
  if (!channel) return `the session has no ${rib.family.name}`;
  const best = rib.bestOf(id);
  if (best === NO_PATH) return 'no path is usable';
  const { treatment } = channel.group;
  const { routing } = speaker;
  const source = rib.sources.get(rib.sourceOf(best));
  if (source.index === attachment.source.index && treatment.addPath === 0)
    return 'the best route came from it';
  const set = rib.setOf(best);
  if (!mayExport(treatment, source, routing.attributes.flags.values[set])) return refusal(treatment.ownOnly);
  const run = routing.policies.run(treatment.policy, 'export', rib.family);
  if (!run) return 'no export policy';
  return verdictText(run.explain(set, source, rib.prefixes.nlri(id), 0), 'export');
}

const refusal = (ownOnly: boolean): string =>
  ownOnly
    ? 'it is told our own routes alone ("export: own")'
    : 'such a route does not go to such a peer (RFC 4271 §9.2, RFC 4456 §6, or a well-known community)';
