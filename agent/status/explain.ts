/** Follows one address through every layer of the agent: pod, allocation, announcement, BGP and the kernel. */

import type { ExplainView } from '@flatroute/common/http/api-documents.ts';
import { type ExportVerdict, exportVerdicts, formatAsPath, longestMatch, type RouteInfo } from 'bgp-js';
import { type IPAddress, type IPPrefix, parsePrefix } from 'bgp-js/ip';
import type { AgentSettings } from '../config/settings.ts';
import { protocolName, type RouteEntry } from '../kernel/route.ts';
import type { RouteLookup } from '../kernel/route-request.ts';
import type { RouteSync } from '../kernel/route-sync.ts';
import type { AgentParts } from '../parts.ts';

type Step = ExplainView['steps'][number];
type Verdict = Step['verdict'];

/** The facts that several steps share. */
interface Subject {
  address: IPAddress;
  /** The pod range of this node that contains it. */
  range: IPPrefix | null;
  /** The longest match in BGP. */
  route: RouteInfo | null;
  /** The kernel's route; null for IPv6, of which the agent installs no routes. */
  lookup: RouteLookup | null;
}

/** Follows an address of either family. IPv6 ends in the RIB: pods have no IPv6 addresses and no routes are installed. */
export function explain(address: IPAddress, settings: AgentSettings, parts: AgentParts): ExplainView {
  const subject: Subject = {
    address,
    range: settings.podCIDRs.find((prefix) => prefix.contains(address)) ?? null,
    route: longestMatch(parts.host.speaker, address.toString()),
    lookup: address.version === 4 ? parts.routes.get(address) : null,
  };
  const steps = [
    podStep(subject, parts),
    allocationStep(subject, parts),
    announcementStep(subject, parts),
    advertisedStep(subject, parts),
    ribStep(subject),
    kernelStep(subject, parts),
  ];
  return { address: address.toString(), summary: summaryOf(subject, settings, parts, steps), steps };
}

const step = (layer: Step['layer'], verdict: Verdict, ...lines: string[]): Step => ({
  layer,
  verdict,
  lines,
});

function podStep({ address }: Subject, { pods }: AgentParts): Step {
  const found = pods.find(address);
  if (!found) return step('pod', 'none', 'no pod of this node has the address');
  const { name, hostInterface, ifname, netns, state, since } = found;
  return step(
    'pod',
    state === 'up' ? 'ok' : 'warning',
    `${name}, on this node since ${since}`,
    `${ifname} in ${netns || 'a deleted namespace'}, ${hostInterface} on the host: ${state}`,
  );
}

function allocationStep({ address, range }: Subject, { pods }: AgentParts): Step {
  const found = pods.find(address);
  if (found) {
    const from = range ?? 'a range that is no longer configured';
    return step('allocation', 'ok', `from ${from}, allocated to container ${found.containerId}`);
  }
  if (!range) return step('allocation', 'none', 'in none of the pod ranges of this node');
  return step('allocation', 'none', `free, in the pod range ${range} of this node`);
}

function announcementStep({ range }: Subject, { announcements }: AgentParts): Step {
  if (!range) return step('announcement', 'none', 'this node does not announce it');
  const state = announcements.state(range) ?? 'not announced';
  return step('announcement', state === 'announced' ? 'ok' : 'warning', `${range}: ${state}`);
}

function advertisedStep({ range }: Subject, { host }: AgentParts): Step {
  if (!range) return step('advertised', 'none', 'no route of this node to advertise');
  const verdicts = exportVerdicts(host.speaker, range.toString());
  const sent = verdicts.filter(({ advertised }) => advertised);
  const withheld = verdicts.filter(({ advertised }) => !advertised);
  const lines = sent.length === 0 ? [`${range} is sent to no peer`] : [];
  for (const { reason, peers } of byReason(sent)) lines.push(`${range} is sent to ${peers}: ${reason}`);
  for (const { reason, peers } of byReason(withheld)) lines.push(`not sent to ${peers}: ${reason}`);
  return step('advertised', withheld.length === 0 ? 'ok' : 'warning', ...lines);
}

/** Groups the peers by reason: a cluster has many peers and few reasons. */
function byReason(list: readonly ExportVerdict[]): { reason: string; peers: string }[] {
  const groups = new Map<string, string[]>();
  for (const { peer, reason } of list) groups.set(reason, [...(groups.get(reason) ?? []), peer]);
  return [...groups].map(([reason, peers]) => ({ reason, peers: peers.join(', ') }));
}

function ribStep({ address, route, range }: Subject): Step {
  if (!route) return step('rib', range ? 'warning' : 'none', `no BGP route covers ${address}`);
  const lines = [`longest match ${route.prefix}${route.local ? ', originated here' : ''}`];
  for (const { source, attributes, status, reason, policy } of route.paths) {
    const path = formatAsPath(attributes.asPath);
    const via =
      route.local && source.index === 0 ? 'this node' : `via ${attributes.nextHop} from ${source.name}`;
    const verdict = policy === null || policy === reason ? '' : `; ${policy}`;
    lines.push(`${status}: ${via}${path ? `, AS path ${path}` : ''}: ${reason}${verdict}`);
  }
  return step('rib', 'ok', ...lines);
}

function kernelStep({ route, lookup }: Subject, { routes, dataplane }: AgentParts): Step {
  if (lookup === null) {
    const verdict = route === null ? 'none' : 'warning';
    return step('kernel', verdict, 'this version installs no IPv6 routes; see "ip -6 route get"');
  }
  const isLearned = route !== null && !route.local;
  // A free address of our own range is dropped by its blackhole; a learned route must be in the kernel.
  if (!lookup.route) return step('kernel', isLearned ? 'warning' : 'none', lookup.reason);
  const lines = [describeEntry(lookup.route, routes)];
  if (lookup.source) lines.push(`packets of this node have the source address ${lookup.source}`);
  const prefix = isLearned ? parsePrefix(route.prefix) : null;
  const state = prefix && dataplane.state(prefix);
  if (state !== null && state !== 'installed') lines.push(`${prefix} is ${state}`);
  return step('kernel', state === null || state === 'installed' ? 'ok' : 'warning', ...lines);
}

function describeEntry(entry: RouteEntry, routes: RouteSync): string {
  const hops = entry.nextHops.map(({ gateway, interface: index }) => {
    const link = index === undefined ? '' : ` on ${routes.findLink(index)?.name ?? `interface ${index}`}`;
    return gateway === undefined ? `directly connected${link}` : `via ${gateway}${link}`;
  });
  const via = hops.length > 0 ? ` ${hops.join(' and ')}` : '';
  return `${entry.type} ${entry.prefix}${via}, protocol ${protocolName(entry.protocol)}, metric ${entry.metric}`;
}

function summaryOf(subject: Subject, settings: AgentSettings, { pods }: AgentParts, steps: Step[]): string {
  const { address, range, route } = subject;
  const faulty = steps.find(({ verdict }) => verdict === 'warning');
  const hint = faulty ? `; see ${faulty.layer} below` : '';
  if (address.equals(settings.address)) return `${address} is this node's own address.`;
  const pod = pods.find(address);
  if (pod) return `${address} is pod ${pod.name} of this node${hint}.`;
  if (range)
    return `${address} is free: no pod has it, and it is in the pod range ${range} of this node${hint}.`;
  if (!route) return summaryWithoutBgp(subject);
  const [best] = route.paths;
  const { nextHop } = best.attributes;
  return `${address} is reached by ${route.prefix}, learned from ${best.source.name}, via ${nextHop}${hint}.`;
}

function summaryWithoutBgp({ address, lookup }: Subject): string {
  const entry = lookup?.route;
  if (entry) {
    const owner = protocolName(entry.protocol);
    return `${address} is reached by ${entry.prefix} of the kernel (protocol ${owner}); no BGP route covers it.`;
  }
  if (lookup === null) return `${address}: no BGP route covers it.`;
  const kernel =
    lookup.reason === 'no route' ? 'the kernel has none either' : `in the kernel ${lookup.reason}`;
  return `${address} is unreachable from this node: no BGP route covers it and ${kernel}.`;
}
