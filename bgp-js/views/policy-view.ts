/** Policies as plain, readable objects: which rule decided about a route, and how often each rule did. */

import type { FamilyRib } from '../rib/family-rib.ts';
import { type ExportRefusal, exportRefusal } from '../rib/out/export-profile.ts';
import { NO_POLICY } from '../rib/policy/policy.ts';
import type { PolicyChoice } from '../rib/policy/policy-registry.ts';
import { type Direction, verdictText } from '../rib/policy/policy-run.ts';
import type { RibSession } from '../rib/rib-session.ts';
import { NO_PATH, NO_PREFIX, type PathId, type PrefixId } from '../rib/store/ids.ts';
import { PathState } from '../rib/store/path-table.ts';
import type { Peer } from '../session/peer.ts';
import { isExternal } from '../speaker/derive-session.ts';
import type { Speaker } from '../speaker/speaker.ts';
import { parseRoute } from '../wire/families.ts';

/** Whether a route is advertised to a peer, and why. */
export interface ExportVerdict {
  peer: string;
  advertised: boolean;
  reason: string;
}

/** A policy with its rules. `hits`: how many routes a rule decided about since the policy was added or changed. */
export interface PolicyInfo {
  name: string;
  rules: { name: string; action: 'accept' | 'reject' | 'next'; hits: number }[];
  otherwise: { action: 'accept' | 'reject'; hits: number };
  /** The peers whose configuration names the policy. */
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

/** The names of a peer's policies. `missing`: an eBGP peer needs one (RFC 8212), or the policy does not exist. */
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

/** The verdict of its peer's import policy on a path; null if no policy decided. */
export function importVerdict(
  speaker: Speaker,
  rib: FamilyRib,
  prefix: PrefixId,
  path: PathId,
): string | null {
  const { routing } = speaker;
  const ribSession = routing.ribSessionOf(rib.sourceOf(path));
  const state = rib.stateOf(path);
  const judged = [PathState.usable, PathState.refusedByPolicy, PathState.noPolicy] as number[];
  const run = ribSession && routing.policies.run(ribSession.rules.policy, 'import', rib.family);
  if (!run || !judged.includes(state)) return null;
  const verdict = run.explain(rib.receivedOf(path), ribSession.source, rib.prefixes.nlri(prefix), 0);
  return verdictText(verdict, 'import');
}

/** For every peer, whether the best route to exactly this prefix is advertised to it, and why. */
export function exportVerdicts(speaker: Speaker, prefix: string): ExportVerdict[] {
  const parsed = parseRoute(prefix);
  const rib = parsed && speaker.routing.ribOf(parsed.family);
  const id = rib ? rib.prefixes.find(parsed.nlri, 0) : NO_PREFIX;
  if (!rib || id === NO_PREFIX) return [];
  return [...speaker.peers].map((peer) => {
    const ribSession = speaker.ribSessionOf(peer);
    const route = ribSession?.ribFamilies.get(rib.family)?.group.advertised(id);
    const advertised = !!ribSession && !!route && route.source !== ribSession.source.index;
    return { peer: peer.name, advertised, reason: reasonFor(speaker, rib, id, ribSession) };
  });
}

function reasonFor(speaker: Speaker, rib: FamilyRib, id: PrefixId, ribSession: RibSession | null): string {
  if (!ribSession) return 'no session is established';
  const ribFamily = ribSession.ribFamilies.get(rib.family);
  if (!ribFamily) return `${rib.family.name} was not negotiated`;
  const best = rib.bestOf(id);
  if (best === NO_PATH) return 'no path is usable';
  const { profile } = ribFamily.group;
  const { routing } = speaker;
  const source = rib.sources.get(rib.sourceOf(best));
  if (source.index === ribSession.source.index && profile.addPath === 0)
    return 'the best route was learned from it';
  const attrs = rib.attrsOf(best);
  const refusal = exportRefusal(profile, source, routing.attributes.flags.values[attrs]);
  if (refusal !== null) return REFUSALS[refusal];
  const run = routing.policies.run(profile.policy, 'export', rib.family);
  if (!run) return 'no export policy applies';
  return verdictText(run.explain(attrs, source, rib.prefixes.nlri(id), 0), 'export');
}

const REFUSALS: Record<ExportRefusal, string> = {
  onlyToCustomer: 'it carries OTC, and the peer is not our customer (RFC 9234 §5)',
  noAdvertise: 'it carries the community NO_ADVERTISE (RFC 1997)',
  noExport: 'it carries the community NO_EXPORT, and the peer is in another AS (RFC 1997)',
  llgrStale: 'it is stale, and the peer did not send the LLGR capability (RFC 9494 §4.3)',
  ownOnly: 'learned from another peer, and only our own routes are advertised to it ("export: own")',
  splitHorizon: 'learned over iBGP, and iBGP routes are not passed on to other iBGP peers (RFC 4271 §9.2)',
  clientToClient:
    'learned from a client, and clients get each other\'s routes directly ("clientToClient: false")',
  nonClient: 'learned from a non-client, and the peer is no client either (RFC 4456 §6)',
};
