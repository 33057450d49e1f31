import type { FamilyRib } from '../family-rib.ts';
import type { PolicyRun } from '../policy/policy-run.ts';
import { NO_ATTRS } from '../store/attribute-table.ts';
import { AttributeExporter } from './export.ts';
import { type ExportProfile, mayExport } from './export-profile.ts';
import { UpdateBuilder, type UpdateLayout } from './update-builder.ts';
import { isFor, NOBODY, type Target, type UpdateLog } from './update-log.ts';

/**
 * Packs changes into the log of an update group: prefixes that follow each other with the same attributes and for the
 * same members share messages. One announcing and one withdrawing message are under way at a time; `flush` ends both.
 */
export class UpdatePacker {
  readonly exporter: AttributeExporter;
  private readonly rib: FamilyRib;
  private readonly profile: ExportProfile;
  private readonly log: UpdateLog;
  private readonly announces: UpdateBuilder;
  private readonly withdraws: UpdateBuilder;
  private readonly policy: PolicyRun | null;
  private readonly nlri: Uint8Array;
  private announceTarget: Target = 0;
  private announceSet = 0;
  private withdrawTarget: Target = 0;
  /** The source of the only member that reads the log, NOBODY, or null: several do. */
  private reader: number | null = null;
  /** What was last found fit to be told while nobody listened. */
  private fitSet = 0;
  private fitSource = 0;

  constructor(
    rib: FamilyRib,
    profile: ExportProfile,
    layout: UpdateLayout,
    log: UpdateLog,
    policy: PolicyRun | null = null,
  ) {
    this.policy = policy;
    this.nlri = new Uint8Array(1 + rib.family.bits / 8);
    this.rib = rib;
    this.profile = profile;
    this.log = log;
    this.exporter = new AttributeExporter(layout);
    this.announces = new UpdateBuilder(rib.prefixes, layout);
    this.withdraws = new UpdateBuilder(rib.prefixes, layout);
  }

  /** Says who reads the log: what is for nobody is not packed. */
  setReader(source: number | null): void {
    this.reader = source;
    this.fitSet = NO_ATTRS;
  }

  /** Whether a member that reads the log is meant by `target`. */
  private isWanted(target: Target): boolean {
    return this.reader === null || (this.reader !== NOBODY && isFor(target, this.reader));
  }

  /** Whether members may be told of a route with set `set` from `source` at all. */
  mayAdvertise(attrs: number, source: number): boolean {
    return mayExport(this.profile, this.rib.sources.get(source), this.rib.attributes.flags.values[attrs]);
  }

  /** The set with which members are told of a route: what the export policy makes of it, or NO_SET. */
  exported(id: number, attrs: number, source: number): number {
    const { policy, rib, nlri } = this;
    if (!policy || attrs === NO_ATTRS) return attrs;
    // What may not be told at all is no matter of the policy, nor what the policy marks for the peer to obey.
    if (!this.mayAdvertise(attrs, source)) return NO_ATTRS;
    rib.prefixes.write(id, nlri, 0);
    return policy.evaluate(attrs, rib.sources.get(source), nlri, 0, true);
  }

  /**
   * Announces the prefix with set `set` from `source` to all but that source; false when the members must not be told
   * of it, or when its attributes do not fit a message.
   */
  announce(id: number, pathId: number, attrs: number, source: number): boolean {
    if (!this.isWanted(source)) return this.isFit(attrs, source);
    const open = this.announces.count > 0 && this.announceSet === attrs && this.announceTarget === source;
    if (!open || !this.announces.fits(id)) {
      if (!this.policy && !this.mayAdvertise(attrs, source)) return false;
      this.flushAnnounces();
      const from = this.rib.sources.get(source);
      if (!this.exporter.write(this.rib.attributes, attrs, from, this.profile)) return false;
      this.announces.begin(this.exporter);
      this.announceSet = attrs;
      this.announceTarget = source;
    }
    this.announces.add(id, pathId);
    return true;
  }

  /** Whether `announce` would announce a route. */
  private isFit(attrs: number, source: number): boolean {
    if (attrs === this.fitSet && source === this.fitSource) return true;
    if (!this.policy && !this.mayAdvertise(attrs, source)) return false;
    const { sources, attributes } = this.rib;
    if (!this.exporter.write(attributes, attrs, sources.get(source), this.profile)) return false;
    this.fitSet = attrs;
    this.fitSource = source;
    return true;
  }

  /** Withdraws the prefix from the members that `target` means. */
  withdraw(id: number, pathId: number, target: Target): void {
    if (!this.isWanted(target)) return;
    if (this.withdraws.count > 0 && (this.withdrawTarget !== target || !this.withdraws.fits(id))) {
      this.flushWithdraws();
    }
    if (this.withdraws.count === 0) this.withdraws.begin(null);
    this.withdrawTarget = target;
    this.withdraws.add(id, pathId);
  }

  /** Appends the messages under way to the log. */
  flush(): void {
    this.flushAnnounces();
    this.flushWithdraws();
  }

  private flushAnnounces(): void {
    this.append(this.announces, this.announceTarget);
  }

  private flushWithdraws(): void {
    this.append(this.withdraws, this.withdrawTarget);
  }

  private append(builder: UpdateBuilder, target: Target): void {
    if (builder.count === 0) return;
    builder.finish();
    this.log.append(builder.bytes, builder.length, target);
    builder.count = 0;
  }
}
