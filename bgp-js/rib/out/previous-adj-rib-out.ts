import { Bitmap } from '../store/column.ts';
import type { AdjRibOut, AdvertisedRoute } from './adj-rib-out.ts';

/**
 * What a member of an update group was told by the group it came from, so that of the new group's routes only those
 * that differ are sent to it.
 */
export class PreviousAdjRibOut {
  private readonly out: AdjRibOut;
  /** Prefixes of which it is not certain, or no longer so, what the member was told. */
  private readonly doubtful = new Bitmap();

  /** `out`: a copy of the former group's Adj-RIB-Out, which it lets go of with `clear`. */
  constructor(out: AdjRibOut) {
    this.out = out;
  }

  /** What the member knows of the prefix is uncertain from now on. */
  invalidate(id: number): void {
    this.doubtful.add(id);
  }

  /** Whether the member, whose own routes come from `source`, was told just this route, or none for null. */
  match(id: number, route: AdvertisedRoute | null, source: number): boolean {
    if (this.doubtful.has(id)) return false;
    const advertised = this.out.get(id);
    const known = advertised && advertised.source !== source ? advertised : null;
    return known?.attrs === route?.attrs && known?.source === route?.source;
  }

  /** Lets go of everything, a piece at a time like `AdjRibOut.clear`. */
  clear(from: number, budget: number): number {
    return this.out.clear(from, budget);
  }
}
