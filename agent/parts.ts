/** The parts of a running agent, by their interfaces. */
import type { EventLog } from '@flatroute/common/process/events.ts';
import type { SpeakerHost } from 'bgp-js/net';
import type { Announcements } from './announcements/announcements.ts';
import type { Dataplane } from './dataplane/dataplane.ts';
import type { Fib } from './fib/fib.ts';
import type { RouteSync } from './kernel/route-sync.ts';
import type { PodService } from './pods/service.ts';
import type { StaleRoutes } from './stale-routes.ts';

/** Everything that `Agent` starts, stops and reloads, and that the status endpoint shows. */
export interface AgentParts {
  routes: RouteSync;
  dataplane: Dataplane;
  pods: PodService;
  host: SpeakerHost;
  announcements: Announcements;
  fib: Fib;
  staleRoutes: StaleRoutes;
  events: EventLog;
}
