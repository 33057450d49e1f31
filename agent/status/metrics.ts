/** The agent's own metrics, beside those of its BGP speaker. */

import type { Metrics, Sample } from '@flatroute/common/http/metrics.ts';
import type { RouteSyncCounts } from '../kernel/route-sync.ts';
import type { AgentParts } from '../parts.ts';

export function addAgentMetrics(metrics: Metrics, parts: AgentParts): void {
  const { routes, dataplane, pods } = parts;
  const states = ['installed', 'pending', 'failed', 'stale'] as const;
  metrics.gauge('flatroute_kernel_routes', 'Routes of ours by their state', ['state'], () => {
    const counts = routes.counts();
    return states.map((state): Sample => [counts[state], state]);
  });
  const total = (name: string, help: string, key: keyof RouteSyncCounts): void => {
    metrics.counter(`flatroute_kernel_${name}_total`, help, [], () => [[routes.counts()[key]]]);
  };
  total('route_writes', 'Route messages written to the kernel', 'writes');
  total('route_refusals', 'Route messages that the kernel refused', 'refusals');
  total('dumps', 'Full reads of the kernel routes', 'dumps');
  total(
    'monitor_overruns',
    'Times that events of the kernel were lost and everything was read again',
    'overruns',
  );
  total('route_losses', 'Routes of ours that somebody else removed or changed', 'losses');
  metrics.gauge('flatroute_next_hops_unresolved', 'BGP next hops that lead nowhere', [], () => [
    [dataplane.unresolved().length],
  ]);
  metrics.gauge('flatroute_pods', 'Pods with an address', [], () => [[pods.list().length]]);
  metrics.gauge('flatroute_addresses', 'Addresses of a range', ['range'], () =>
    pods.ranges().map(({ range, size }): Sample => [size, range.toString()]),
  );
  metrics.gauge('flatroute_addresses_used', 'Addresses of a range that are taken', ['range'], () =>
    pods.ranges().map(({ range, used }): Sample => [used, range.toString()]),
  );
}
