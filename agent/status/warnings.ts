/** Conditions that a person should look at, in words. */
import { policyWarnings } from '@flatroute/common/bgp/views.ts';
import type { PeerBrief } from 'bgp-js';
import type { AgentSettings } from '../config/settings.ts';
import { isNearlyFull } from '../ipam/ipam.ts';
import { effectiveReversePathFilter } from '../kernel/sysctl.ts';
import type { AgentParts } from '../parts.ts';

/** A peer that is down for longer than this is worth a warning; ms. */
const PEER_DOWN_MS = 15_000;

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
  if (failed > 0) list.push(`${failed} routes are refused by the kernel; see the events`);
  if (stale > 0) list.push(`${stale} routes of the former run wait for peers to confirm or replace them`);
  for (const { range, size, used } of pods.ranges()) {
    if (isNearlyFull({ used, size }))
      list.push(`${range} is nearly full: ${used} of ${size} addresses are taken`);
  }
  if (settings.podCIDRs.length === 0) list.push('podCIDRs is empty: no pod can get an address');
  const filter = effectiveReversePathFilter('all');
  if (filter === 'loose') {
    list.push(
      'net.ipv4.conf.all.rp_filter is 2 (loose): pods can send with a source that is not theirs; set it to 0 or 1',
    );
  }
  return list;
}
