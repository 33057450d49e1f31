/**
 * What this node announces: its pod ranges, each only once the kernel has the blackhole that answers for the part of
 * the range without pods. Otherwise a packet to an absent pod would go back to where it came from, and round and round.
 */
import type { Speaker } from 'bgp-js';
import { ROUTE_METRIC } from '../dataplane/dataplane.ts';
import type { RouteSync } from '../kernel/route-sync.ts';

const BLACKHOLE = { type: 'blackhole', nextHops: [] } as const;

/** What is asked of the kernel's routes. */
export type RangeRoutes = Pick<RouteSync, 'set' | 'delete' | 'state' | 'whenInstalled'>;

export interface AnnouncementsOptions {
  speaker: Speaker;
  routes: RangeRoutes;
  /** Called after something was announced or withdrawn. */
  onChange(): void;
  /** A range cannot be announced because its blackhole cannot be installed; it is tried again. */
  onError(range: string, error: Error): void;
}

export class Announcements {
  readonly #options: AnnouncementsOptions;
  /** By range: whether it is announced. */
  readonly #ranges = new Map<string, boolean>();
  /** By range: the first attempt to announce it. */
  readonly #waits = new Map<string, Promise<void>>();

  constructor(options: AnnouncementsOptions) {
    this.#options = options;
  }

  /** Announces these ranges and withdraws others. Learned routes within them are refused from now on. */
  setRanges(ranges: readonly string[]): void {
    const { speaker, routes, onChange } = this.#options;
    speaker.setOwnRanges(ranges);
    for (const range of [...this.#ranges.keys()]) {
      if (ranges.includes(range)) continue;
      this.#ranges.delete(range);
      this.#waits.delete(range);
      speaker.withdraw(range);
      routes.delete(range, ROUTE_METRIC.BLACKHOLE);
    }
    for (const range of ranges) {
      if (this.#ranges.has(range)) continue;
      this.#ranges.set(range, false);
      routes.set(range, ROUTE_METRIC.BLACKHOLE, BLACKHOLE);
      this.#waits.set(range, this.#announceWhenInstalled(range));
    }
    onChange();
  }

  /** Resolves when every range is announced, or after `limitMs`. */
  async settled(limitMs: number): Promise<void> {
    const waits = [...this.#waits.values()];
    let timer: NodeJS.Timeout | undefined;
    const limit = new Promise<void>((resolve) => {
      timer = setTimeout(resolve, limitMs);
    });
    await Promise.race([Promise.all(waits), limit]);
    clearTimeout(timer);
  }

  /** What became of a range: `announced`, why not yet, or null when it is none of ours. */
  state(range: string): string | null {
    const announced = this.#ranges.get(range);
    if (announced === undefined) return null;
    if (announced) return 'announced';
    const blackhole = this.#options.routes.state(range, ROUTE_METRIC.BLACKHOLE) ?? 'not wanted';
    return `not announced: its blackhole is not in the kernel yet (${blackhole})`;
  }

  async #announceWhenInstalled(range: string): Promise<void> {
    const { speaker, routes, onChange, onError } = this.#options;
    try {
      await routes.whenInstalled(range, ROUTE_METRIC.BLACKHOLE);
    } catch (error) {
      if (!this.#ranges.has(range)) return;
      onError(range, error instanceof Error ? error : new Error(String(error)));
      setTimeout(() => void this.#announceWhenInstalled(range), RETRY_MS).unref();
      return;
    }
    if (this.#ranges.get(range) !== false) return;
    this.#ranges.set(range, true);
    speaker.originate(range);
    onChange();
  }
}

const RETRY_MS = 5000;
