/** An address followed through every layer of the agent: who has it, who says so, who was told, where packets go. */

import type { ExplainView } from '@flatroute/common/http/api-documents.ts';
import { type ExportVerdict, exportVerdicts, formatAsPath, longestMatch, type RouteInfo } from 'bgp-js';
import type { IPAddress } from 'bgp-js/ip';
import type { AgentParts } from '../agent.ts';
import type { AgentSettings } from '../config/settings.ts';
import { findLink } from '../kernel/link.ts';
import { protocolName, type RouteEntry } from '../kernel/route.ts';
import type { RouteSync } from '../kernel/route-sync.ts';

type Step = ExplainView['steps'][number];

/** Follows an address of either family; of IPv6, this version gives pods no addresses and installs no routes. */
export function explain(target: IPAddress, settings: AgentSettings, parts: AgentParts): ExplainView {
  const address = target.toString();
  const range = settings.podCIDRs.find((prefix) => prefix.contains(target))?.toString() ?? null;
  const route = longestMatch(parts.host.speaker, address);
  const steps = [
    podStep(address, parts),
    allocationStep(address, range, parts),
    announcementStep(range, parts),
    advertisedStep(range, parts),
    ribStep(address, route, range),
    target.version === 4 ? kernelStep(address, route, parts) : kernelStepIPv6(route),
  ];
  return { address, summary: summaryOf(target, settings, range, route, parts, steps), steps };
}

function podStep(address: string, { pods }: AgentParts): Step {
  const found = pods.find(address);
  if (!found) return { layer: 'pod', verdict: 'none', lines: ['no pod of this node has the address'] };
  const { name, hostInterface, ifname, netns, state, since } = found.view;
  return {
    layer: 'pod',
    verdict: state === 'up' ? 'ok' : 'warning',
    lines: [
      `${name}, on this node since ${since}`,
      `${ifname} in ${netns || 'a namespace that is gone'}, ${hostInterface} on the host: ${state}`,
    ],
  };
}

function allocationStep(address: string, range: string | null, { pods }: AgentParts): Step {
  const found = pods.find(address);
  if (found) {
    const { containerId } = found.allocation;
    return {
      layer: 'allocation',
      verdict: 'ok',
      lines: [`from ${range ?? 'a range that is no longer configured'}, held by container ${containerId}`],
    };
  }
  if (!range) {
    return { layer: 'allocation', verdict: 'none', lines: ['in no range of this node'] };
  }
  return { layer: 'allocation', verdict: 'none', lines: [`in ${range} of this node, and free`] };
}

function announcementStep(range: string | null, { origin }: AgentParts): Step {
  if (!range)
    return { layer: 'announcement', verdict: 'none', lines: ['this node announces nothing for it'] };
  const state = origin.state(range) ?? 'not announced';
  return {
    layer: 'announcement',
    verdict: state === 'announced' ? 'ok' : 'warning',
    lines: [`${range}: ${state}`],
  };
}

function advertisedStep(range: string | null, { host }: AgentParts): Step {
  if (!range) return { layer: 'advertised', verdict: 'none', lines: ['nothing of ours to advertise'] };
  const all = exportVerdicts(host.speaker, range);
  const told = all.filter((telling) => telling.advertised);
  const missing = all.filter((telling) => !telling.advertised);
  const lines = told.length === 0 ? [`${range} sent to nobody`] : [];
  for (const { reason, peers } of byReason(told)) lines.push(`${range} sent to ${peers}: ${reason}`);
  for (const { reason, peers } of byReason(missing)) lines.push(`not to ${peers}: ${reason}`);
  return { layer: 'advertised', verdict: missing.length === 0 ? 'ok' : 'warning', lines };
}

/** Peers with one reason together: a cluster has many of them. */
function byReason(list: readonly ExportVerdict[]): { reason: string; peers: string }[] {
  const groups = new Map<string, string[]>();
  for (const { peer, reason } of list) groups.set(reason, [...(groups.get(reason) ?? []), peer]);
  return [...groups].map(([reason, peers]) => ({ reason, peers: peers.join(', ') }));
}

function ribStep(address: string, route: RouteInfo | null, range: string | null): Step {
  if (!route) {
    return { layer: 'rib', verdict: range ? 'warning' : 'none', lines: [`no route covers ${address}`] };
  }
  const lines = [`longest match ${route.prefix}${route.local ? ', originated here' : ''}`];
  for (const { source, attributes, status, reason, policy } of route.paths) {
    const path = formatAsPath(attributes.asPath);
    const way =
      route.local && source.index === 0 ? 'this node' : `via ${attributes.nextHop} from ${source.name}`;
    const verdict = policy === null || policy === reason ? '' : `; ${policy}`;
    lines.push(`${status}: ${way}${path ? `, AS path ${path}` : ''}: ${reason}${verdict}`);
  }
  return { layer: 'rib', verdict: 'ok', lines };
}

function kernelStep(address: string, route: RouteInfo | null, { routes, dataplane }: AgentParts): Step {
  const { route: entry, reason, source } = routes.get(address);
  if (!entry) {
    // The blackhole answers for a free address of our own range; a learned route that is missing is another matter.
    const expected = route === null || route.local;
    return { layer: 'kernel', verdict: expected ? 'none' : 'warning', lines: [`no way: ${reason}`] };
  }
  const lines = [describeEntry(entry, routes)];
  if (source) lines.push(`packets of this node's own go out from ${source}`);
  const state = route && !route.local ? dataplane.state(route.prefix) : null;
  if (state !== null && state !== 'installed') lines.push(`${route?.prefix} is ${state}`);
  return { layer: 'kernel', verdict: state === null || state === 'installed' ? 'ok' : 'warning', lines };
}

/** The agent installs IPv4 routes alone: a learned IPv6 route ends in the RIB. */
function kernelStepIPv6(route: RouteInfo | null): Step {
  const lines = ['this version installs no IPv6 routes; see "ip -6 route get"'];
  return { layer: 'kernel', verdict: route === null ? 'none' : 'warning', lines };
}

function describeEntry(entry: RouteEntry, routes: RouteSync): string {
  const hops = entry.nextHops.map(({ gateway, interface: index }) => {
    const link = index === undefined ? '' : ` on ${linkName(index, routes)}`;
    return gateway === undefined ? `directly${link}` : `via ${gateway}${link}`;
  });
  const way = hops.length > 0 ? ` ${hops.join(' and ')}` : '';
  return `${entry.type} ${entry.prefix}${way}, protocol ${protocolName(entry.protocol)}, metric ${entry.metric}`;
}

function linkName(index: number, routes: RouteSync): string {
  const netlink = routes.open();
  try {
    return findLink(netlink, index)?.name ?? `interface ${index}`;
  } finally {
    netlink.close();
  }
}

function summaryOf(
  target: IPAddress,
  settings: AgentSettings,
  range: string | null,
  route: RouteInfo | null,
  { pods }: AgentParts,
  steps: Step[],
): string {
  const wrong = steps.find(({ verdict }) => verdict === 'warning');
  const but = wrong ? `; look at ${wrong.layer}` : '';
  const address = target.toString();
  const pod = pods.find(address);
  if (target.equals(settings.address)) return `${address} is this node's own address.`;
  if (pod) return `${address} is pod ${pod.view.name} of this node${but}.`;
  if (range) return `${address} is free: it is in ${range} of this node, and no pod has it${but}.`;
  if (!route) return `${address} is not known to BGP here; the kernel's table decides alone.`;
  const [best] = route.paths;
  return `${address} is reached over ${route.prefix}, learned from ${best.source.name}, via ${best.attributes.nextHop}${but}.`;
}
