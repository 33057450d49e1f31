/** The warnings of `/v1/status`: conditions that an operator should check. */
import { policyWarnings } from '@flatroute/common/bgp/views.ts';
import type { PeerBrief } from 'bgp-js';
import type { AgentSettings } from '../config/settings.ts';
import { isNearlyFull } from '../ipam/ipam.ts';
import { effectiveReversePathFilter } from '../kernel/sysctl.ts';
import type { AgentParts } from '../parts.ts';

/** A peer gets a warning when it has been down for longer than this, in ms. */
const PEER_DOWN_MS = 15_000;

/** One sentence for each condition. `peers` are the states of all peers. */
export function warnings(settings: AgentSettings, parts: AgentParts, peers: readonly PeerBrief[]): string[] {
  const { dataplane, routes, pods } = parts;
  const list: string[] = [];
  const now = parts.host.now();
  list.push(...policyWarnings(peers));
  for (const { name, state, since, lastError } of peers) {
    if (state === 'Established' || now - since < PEER_DOWN_MS) continue;
    list.push(`peer ${name} is down${lastError ? `: ${lastError.text}` : ''}`);
  }
  for (const { address, reason, prefixes } of dataplane.unresolved()) {
    list.push(`next hop ${address} of ${prefixes} prefixes is unreachable: ${reason}`);
  }
  const { failed, stale } = routes.counts();
  if (failed > 0) list.push(`the kernel refuses ${failed} routes; see the events`);
  if (stale > 0) list.push(`${stale} routes of the previous run stay until the peers have sent their routes`);
  for (const { range, size, used } of pods.ranges()) {
    if (isNearlyFull({ used, size }))
      list.push(`pod range ${range} is nearly full: ${used} of ${size} addresses are allocated`);
  }
  if (settings.podCIDRs.length === 0) list.push('podCIDRs is empty: no pod can get an address');
  const filter = effectiveReversePathFilter('all');
  if (filter === 'loose') {
    list.push(
      'net.ipv4.conf.all.rp_filter is 2 (loose), so pods can send packets from forged addresses; set it to 0 or 1',
    );
  }
  return list;
}
