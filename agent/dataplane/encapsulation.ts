/** How packets travel to a BGP next hop: as they are, or inside a tunnel. */
import type { IPAddress } from 'bgp-js/ip';
import type { KernelNextHop } from '../kernel/route.ts';

/** Where the kernel sends packets for a BGP next hop. */
export interface Resolution {
  /** The kernel's next hops; empty when the BGP next hop is unreachable. */
  hops: readonly KernelNextHop[];
  /** Why it is unreachable, e.g. `no route`; empty when it is reachable. */
  reason: string;
}

/** A way to carry packets to next hops. With a tunnel the kernel's next hops are on the tunnel device. */
export interface Encapsulation {
  /**
   * The kernel's next hops for routes via the BGP next hop `nextHop`, which resolves to `resolution`. Empty when the
   * next hop cannot be used.
   */
  target(nextHop: IPAddress, resolution: Resolution): readonly KernelNextHop[];
}

/** No encapsulation: packets leave unchanged, over the link or the route that leads to the next hop. */
export const direct: Encapsulation = {
  target: (_nextHop, { hops }) => hops,
};
