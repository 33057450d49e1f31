/**
 * The prefixes that this node announces: its pod ranges, and later the addresses of services.
 *
 * A prefix with a blackhole is announced only once the kernel has the blackhole, which drops packets to addresses of
 * the prefix that no pod has. Without it such a packet would match the default route, go back to the router that sent
 * it, and loop until its TTL expires.
 */
import { isDeepStrictEqual } from 'node:util';
import type { OriginateOptions, Speaker } from 'bgp-js';
import type { IPPrefix } from 'bgp-js/ip';
import { ROUTE_METRIC } from '../kernel/route-metrics.ts';
import type { RouteSync } from '../kernel/route-sync.ts';

const BLACKHOLE = { type: 'blackhole', nextHops: [] } as const;
const RETRY_MS = 5000;

/** One prefix to announce, and how. */
export interface Announcement {
  readonly prefix: IPPrefix;
  /** Only this node announces it: routes to it or within it are refused from every peer. */
  readonly exclusive: boolean;
  /** The kernel drops packets to addresses of the prefix that have no route of their own. */
  readonly blackhole: boolean;
  /** Path attributes besides ORIGIN, AS_PATH and NEXT_HOP, e.g. communities. */
  readonly attributes?: OriginateOptions;
}

/** A pod range: it belongs to this node alone, and its free addresses must not attract packets that loop. */
export function podRange(prefix: IPPrefix): Announcement {
  return { prefix, exclusive: true, blackhole: true };
}

/** The part of RouteSync that blackholes need. */
export type BlackholeRoutes = Pick<RouteSync, 'set' | 'delete' | 'state' | 'whenInstalled'>;

/** Options of Announcements. */
export interface AnnouncementsOptions {
  speaker: Speaker;
  routes: BlackholeRoutes;
  /** A prefix was announced or withdrawn. */
  onChange(): void;
  /** A prefix cannot be announced because its blackhole cannot be installed; it is retried. */
  onError(prefix: IPPrefix, error: Error): void;
}

/** An announcement and how far it has come. */
interface AnnouncementState {
  announcement: Announcement;
  isAnnounced: boolean;
  /** Settles with the first attempt to announce it. */
  firstAttempt: Promise<void>;
}

/** See the head of this file. */
export class Announcements {
  readonly #options: AnnouncementsOptions;
  /** By prefix key. */
  readonly #states = new Map<number | string, AnnouncementState>();

  constructor(options: AnnouncementsOptions) {
    this.#options = options;
  }

  /** Announces exactly these prefixes: new and changed ones are announced, others withdrawn. */
  set(announcements: readonly Announcement[]): void {
    const { speaker, onChange } = this.#options;
    speaker.setOwnRanges(announcements.filter(({ exclusive }) => exclusive).map(({ prefix }) => `${prefix}`));
    const wanted = new Map(announcements.map((announcement) => [announcement.prefix.key, announcement]));
    for (const [key, { announcement }] of this.#states) if (!wanted.has(key)) this.#remove(announcement);
    for (const announcement of wanted.values()) this.#add(announcement);
    onChange();
  }

  /** Resolves when every prefix is announced or its first attempt has failed, at the latest after `limitMs`. */
  async settled(limitMs: number): Promise<void> {
    const attempts = Array.from(this.#states.values(), ({ firstAttempt }) => firstAttempt);
    let timer: NodeJS.Timeout | undefined;
    const limit = new Promise<void>((resolve) => {
      timer = setTimeout(resolve, limitMs);
    });
    await Promise.race([Promise.all(attempts), limit]);
    clearTimeout(timer);
  }

  /** `announced`, why it is not announced yet, or null when the prefix is not one of ours. */
  state(prefix: IPPrefix): string | null {
    const current = this.#states.get(prefix.key);
    if (current === undefined) return null;
    if (current.isAnnounced) return 'announced';
    const blackhole = this.#options.routes.state(prefix, ROUTE_METRIC.BLACKHOLE) ?? 'not wanted';
    return `not announced: its blackhole is not in the kernel yet (${blackhole})`;
  }

  #add(announcement: Announcement): void {
    const { prefix, blackhole } = announcement;
    const current = this.#states.get(prefix.key);
    if (current && isSame(current.announcement, announcement)) return;
    const state: AnnouncementState = { announcement, isAnnounced: false, firstAttempt: Promise.resolve() };
    this.#states.set(prefix.key, state);
    if (blackhole) {
      this.#options.routes.set(prefix, ROUTE_METRIC.BLACKHOLE, BLACKHOLE);
      state.firstAttempt = this.#announceWhenInstalled(state);
    } else {
      if (current?.announcement.blackhole) this.#options.routes.delete(prefix, ROUTE_METRIC.BLACKHOLE);
      this.#announce(state);
    }
  }

  #remove({ prefix, blackhole }: Announcement): void {
    const { speaker, routes } = this.#options;
    this.#states.delete(prefix.key);
    speaker.withdraw(`${prefix}`);
    if (blackhole) routes.delete(prefix, ROUTE_METRIC.BLACKHOLE);
  }

  #announce(state: AnnouncementState): void {
    const { prefix, attributes } = state.announcement;
    state.isAnnounced = true;
    this.#options.speaker.originate(`${prefix}`, attributes);
  }

  async #announceWhenInstalled(state: AnnouncementState): Promise<void> {
    const { routes, onChange, onError } = this.#options;
    const { prefix } = state.announcement;
    const isCurrent = () => this.#states.get(prefix.key) === state;
    try {
      await routes.whenInstalled(prefix, ROUTE_METRIC.BLACKHOLE);
    } catch (error) {
      if (!isCurrent()) return;
      onError(prefix, error instanceof Error ? error : new Error(String(error)));
      setTimeout(() => isCurrent() && void this.#announceWhenInstalled(state), RETRY_MS).unref();
      return;
    }
    if (!isCurrent()) return;
    this.#announce(state);
    onChange();
  }
}

function isSame(a: Announcement, b: Announcement): boolean {
  return (
    a.exclusive === b.exclusive &&
    a.blackhole === b.blackhole &&
    isDeepStrictEqual(a.attributes ?? {}, b.attributes ?? {})
  );
}
