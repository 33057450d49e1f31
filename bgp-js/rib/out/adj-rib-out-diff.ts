import { type FamilyRib, NO_PATH } from '../family-rib.ts';
import { U32Column } from '../store/column.ts';
import { type AdjRibOut, NOTHING } from './adj-rib-out.ts';
import type { UpdatePacker } from './update-packer.ts';

/** Compares the Loc-RIB with what an update group has told its members, and has the difference packed. */
export class AdjRibOutDiff {
  private readonly rib: FamilyRib;
  private readonly out: AdjRibOut;
  private readonly packer: UpdatePacker;
  /** With several slots a prefix (ADD-PATH): the path of the RIB in each. */
  private readonly outPaths: U32Column | null;

  constructor(rib: FamilyRib, out: AdjRibOut, packer: UpdatePacker, addPath: boolean) {
    this.rib = rib;
    this.out = out;
    this.packer = packer;
    this.outPaths = addPath ? new U32Column(false) : null;
  }

  /** Packs what the members have to be told of a prefix; false when that is nothing. */
  update(id: number): boolean {
    const { rib } = this;
    if (this.outPaths) return this.advertisePaths(id, this.outPaths);
    const best = rib.bestOf(id);
    if (best === NO_PATH) return this.tell(id, 0, NOTHING, 0);
    return this.tell(id, 0, rib.attrsOf(best), rib.sourceOf(best));
  }

  /** Brings one slot of a prefix up to date; false when nothing had to be told. */
  private tell(id: number, slot: number, best: number, source: number): boolean {
    const wanted = this.packer.exported(id, best, source);
    const oldAttrs = this.out.attrsOf(id, slot);
    const oldSource = this.out.sourceOf(id, slot);
    const pathId = slot + 1;
    if (wanted === oldAttrs && (source === oldSource || wanted === NOTHING)) return false;
    const attrs = wanted !== NOTHING && this.packer.announce(id, pathId, wanted, source) ? wanted : NOTHING;
    if (attrs === NOTHING && oldAttrs === NOTHING) return false;
    if (attrs === NOTHING) {
      this.packer.withdraw(id, pathId, oldSource);
    } else {
      // The new source was told the old route and gets no announcement of its own one.
      if (oldAttrs !== NOTHING && oldSource !== source && source !== 0)
        this.packer.withdraw(id, pathId, -source);
    }
    this.out.put(id, slot, attrs, source);
    return true;
  }

  /**
   * ADD-PATH: the best paths of a prefix, each in a slot that it keeps for as long as it is among them, so that its
   * path identifier stays (RFC 7911 §2).
   */
  private advertisePaths(id: number, outPaths: U32Column): boolean {
    const { rib } = this;
    const { width } = this.out;
    const base = id * width;
    outPaths.ensure(base + width - 1);
    const wanted = rib
      .ranked(id)
      .filter((path) => this.packer.mayAdvertise(rib.attrsOf(path), rib.sourceOf(path)))
      .slice(0, width);
    const slots = outPaths.values.subarray(base, base + width);
    const homeless = wanted.filter((path) => !slots.includes(path));
    let changed = false;
    for (let slot = 0; slot < width; slot++) {
      if (!wanted.includes(slots[slot])) slots[slot] = homeless.shift() ?? NO_PATH;
      const path = slots[slot];
      const advertised =
        path === NO_PATH
          ? this.tell(id, slot, NOTHING, 0)
          : this.tell(id, slot, rib.attrsOf(path), rib.sourceOf(path));
      changed = advertised || changed;
    }
    return changed;
  }
}
