/** The agent's metrics of kernel routes, next hops and pods; `addBgpMetrics` has those of the BGP speaker. */

import type { Metrics, Sample } from '@flatroute/common/http/metrics.ts';
import type { RouteSyncCounts } from '../kernel/route-sync.ts';
import type { AgentParts } from '../parts.ts';

/** Adds the metrics, which are read from the parts at each scrape. */
export function addAgentMetrics(metrics: Metrics, parts: AgentParts): void {
  const { routes, dataplane, pods } = parts;
  const states = ['installed', 'pending', 'failed', 'stale'] as const;
  metrics.gauge('flatroute_kernel_routes', 'Routes of the agent by state', ['state'], () => {
    const counts = routes.counts();
    return states.map((state): Sample => [counts[state], state]);
  });
  const total = (name: string, help: string, key: keyof RouteSyncCounts): void => {
    metrics.counter(`flatroute_kernel_${name}_total`, help, [], () => [[routes.counts()[key]]]);
  };
  total('route_writes', 'Route messages written to the kernel', 'writes');
  total('route_refusals', 'Route messages that the kernel refused', 'refusals');
  total('dumps', 'Complete reads of the kernel routes', 'dumps');
  total(
    'monitor_overruns',
    'Overruns of the kernel event queue, each followed by a complete read',
    'overruns',
  );
  total('route_losses', 'Routes of the agent that another program removed or changed', 'losses');
  metrics.gauge('flatroute_next_hops_unresolved', 'BGP next hops that are unreachable', [], () => [
    [dataplane.unresolved().length],
  ]);
  metrics.gauge('flatroute_pods', 'Pods with an address', [], () => [[pods.list().length]]);
  metrics.gauge('flatroute_addresses', 'Addresses of a pod range', ['range'], () =>
    pods.ranges().map(({ range, size }): Sample => [size, range.toString()]),
  );
  metrics.gauge('flatroute_addresses_used', 'Allocated addresses of a pod range', ['range'], () =>
    pods.ranges().map(({ range, used }): Sample => [used, range.toString()]),
  );
}
