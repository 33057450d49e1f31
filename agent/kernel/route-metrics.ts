/**
 * Metrics of the agent's routes; the lowest wins between routes to one prefix. The blackhole of an announced prefix
 * comes last, so that it can coexist with the host route of a prefix of one address. The host routes of pods have
 * metric 0: nothing may be preferred to them.
 */
export const ROUTE_METRIC = { POD: 0, BGP: 20, BLACKHOLE: 0xffff0000 } as const;
