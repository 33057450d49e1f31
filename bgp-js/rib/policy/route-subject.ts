/** A route's attributes as the conditions of a policy ask for them; read from the stored form when first asked. */
import { type AsSegment, readSegments } from '../../wire/as-path.ts';
import { AttributeType } from '../../wire/attribute-types.ts';
import type { Source } from '../source.ts';
import type { AttributeTable } from '../store/attribute-table.ts';
import type { AttrsId } from '../store/ids.ts';
import type { AsPathElements } from './as-path-pattern.ts';
import { COMMUNITY_SIZES, type CommunityPattern, communityMatches } from './community-pattern.ts';

export class RouteSubject {
  readonly table: AttributeTable;
  readonly attrs: AttrsId;
  readonly source: Source;
  private elements: AsPathElements | null = null;

  constructor(table: AttributeTable, attrs: AttrsId, source: Source) {
    this.table = table;
    this.attrs = attrs;
    this.source = source;
  }

  /** AS_PATH without confederation segments, which are not a part of it for others (RFC 5065 §5.3). */
  get asPath(): AsPathElements {
    this.elements ??= elementsOf(this.segments());
    return this.elements;
  }

  segments(): AsSegment[] {
    const value = this.table.valueOf(this.attrs, AttributeType.asPath);
    return value ? readSegments(this.table.chunkOf(this.attrs), value.start, value.end, 4) : [];
  }

  /** Whether the route has a community for which the pattern stands. */
  hasCommunity(pattern: CommunityPattern): boolean {
    const value = this.table.valueOf(this.attrs, pattern.attribute);
    const size = COMMUNITY_SIZES.get(pattern.attribute);
    if (!value || !size) return false;
    const bytes = this.table.chunkOf(this.attrs);
    for (let at = value.start; at + size <= value.end; at += size) {
      if (communityMatches(pattern, bytes, at)) return true;
    }
    return false;
  }
}

function elementsOf(segments: readonly AsSegment[]): AsPathElements {
  return segments.flatMap(({ type, ases }) => {
    if (type === 'sequence') return ases.map((as) => [as]);
    return type === 'set' ? [ases] : [];
  });
}
