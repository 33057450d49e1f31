/**
 * What the pod service reports. Events carry values, so that other parts of the agent can follow pods without reading
 * texts; `describePodEvent` makes the text for log and status where they are shown.
 */
import type { IPAddress } from 'bgp-js/ip';
import type { Capacity } from '../ipam/ipam.ts';
import { type Allocation, ownerName } from '../ipam/store.ts';

/** The pod of an event. */
export interface PodIdentity {
  /** `NAMESPACE/NAME`, else the container's id. */
  name: string;
  /** As Kubernetes names it, if the runtime said so. */
  kubernetes?: { namespace: string; name: string; uid?: string };
  containerId: string;
}

/** The two ends of a pod's link. */
export interface PodInterfaces {
  /** Name of the link on the host. */
  host: string;
  /** Name of the interface in the pod. */
  pod: string;
  /** Path of the pod's network namespace. */
  netns: string;
}

/** One interface of a pod with its addresses. */
interface Attachment {
  pod: PodIdentity;
  /** At least one, at most one a family, IPv4 first. */
  addresses: readonly IPAddress[];
  interfaces: PodInterfaces;
}

/** A pod's interface works: its address is stored, its link is up, its host routes are in the kernel. */
export interface PodAttached extends Attachment {
  kind: 'attached';
}

/** A pod's interface is out of service and its addresses are released. */
export interface PodDetached extends Attachment {
  kind: 'detached';
}

/** The wiring of a pod is not as ADD left it, as `CHECK` or the inspection after a restart found. */
export interface PodFaulty {
  kind: 'faulty';
  pod: Pick<PodIdentity, 'name'>;
  found: 'by CHECK' | 'after restart';
  /** The faults in words. */
  faults: string;
}

/** Everything that the pod service reports. */
export type PodEvent =
  | PodAttached
  | PodDetached
  | PodFaulty
  /** The CNI server accepts requests. */
  | { kind: 'listening'; socket: string; pods: number }
  /** A pod keeps addresses that lie in none of the configured ranges. */
  | (Attachment & { kind: 'outside-ranges' })
  /** Links without an allocation were removed at the start. */
  | { kind: 'orphans-removed'; links: readonly string[] }
  /** Links of removed pods could not be deleted; it is tried again. */
  | { kind: 'deletion-delayed'; error: Error }
  /** Few addresses are left. */
  | ({ kind: 'nearly-full' } & Capacity)
  /** The store of allocations has something to say, see `JournalOptions.report`. */
  | { kind: 'store'; level: 'info' | 'warn'; text: string }
  /** The host's settings let pods send with addresses of others. */
  | { kind: 'spoofing-possible' }
  /** A CNI command failed; `command` and `containerId` are empty if the request has none. */
  | { kind: 'command-failed'; command: string; containerId: string; error: Error; details: string };

/** Receives the events of the pod service. */
export type OnPodEvent = (event: PodEvent) => void;

/** What the events of an attachment say about it. */
export function attachmentOf(allocation: Allocation): Attachment {
  const { containerId, ifname, netns, hostInterface, addresses, pod } = allocation;
  return {
    pod: { name: ownerName(allocation), containerId, ...(pod && { kubernetes: pod }) },
    addresses,
    interfaces: { host: hostInterface, pod: ifname, netns },
  };
}

/** An event as one line of the log: how important it is, what it is about, and what happened. */
export interface PodEventLine {
  level: 'info' | 'warn' | 'error';
  subject: string;
  text: string;
}

/** The line for an event. */
export function describePodEvent(event: PodEvent): PodEventLine {
  switch (event.kind) {
    case 'attached':
      return line(
        'info',
        event.pod.name,
        `attached with ${event.addresses.join(', ')} on ${event.interfaces.host}`,
      );
    case 'detached':
      return line('info', event.pod.name, `detached, released ${event.addresses.join(', ')}`);
    case 'faulty':
      return line('warn', event.pod.name, `${event.found}: ${event.faults}`);
    case 'listening':
      return line('info', 'pods', `serving CNI on ${event.socket}, ${event.pods} pods on this node`);
    case 'outside-ranges':
      return line(
        'warn',
        event.pod.name,
        `keeps ${event.addresses.join(', ')}, which is not in podCIDRs any more`,
      );
    case 'orphans-removed':
      return line(
        'warn',
        'pods',
        `removed ${event.links.length} links without a pod: ${event.links.join(', ')}`,
      );
    case 'deletion-delayed':
      return line(
        'warn',
        'pods',
        `cannot delete links of removed pods yet, will retry: ${event.error.message}`,
      );
    case 'nearly-full':
      return line(
        'warn',
        'ipam',
        `podCIDRs are nearly full: ${event.free} of ${event.size} addresses are free`,
      );
    case 'store':
      return line(event.level, 'ipam', event.text);
    case 'spoofing-possible':
      return line(
        'warn',
        'kernel',
        'net.ipv4.conf.all.rp_filter is 2 (loose), so pods can send from addresses of others; set it to 0 or 1',
      );
    case 'command-failed': {
      const { command, containerId, error, details } = event;
      const request = `${command || 'a request without a command'}${containerId && ` of ${containerId}`}`;
      return line('error', 'cni', `${request}: ${error.message}${details && `: ${details}`}`);
    }
  }
}

function line(level: PodEventLine['level'], subject: string, text: string): PodEventLine {
  return { level, subject, text };
}
