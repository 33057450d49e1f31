/** Whole tables as bytes: seven routes share a set of attributes, as on the Internet. */
import type { RouteSpace } from './routes.ts';

const IN_ONE_SET = 7;

/** The version of a route in `tableBytes`. */
export function versionIn(index: number, base = 1): number {
  return base + index - (index % IN_ONE_SET);
}

/** The final versions of all routes of a table. */
export function tableTruth(count: number): Uint32Array {
  return Uint32Array.from({ length: count }, (_, index) => versionIn(index));
}

/** UPDATEs with the routes from `first` to before `end`; another `base` gives other attributes. */
export function tableBytes(
  space: RouteSpace,
  [first, end]: readonly [first: number, end: number],
  { nextHop = '10.201.0.1', base = 1 } = {},
): Uint8Array {
  const parts: Uint8Array[] = [];
  for (let from = first; from < end; ) {
    const to = Math.min(end, from - (from % IN_ONE_SET) + IN_ONE_SET);
    const asPath = [100_000 + (from % 50_000)];
    parts.push(space.announce({ from, to, version: versionIn(from, base), nextHop, asPath }));
    from = to;
  }
  return Uint8Array.from(Buffer.concat(parts));
}
