/** Routes as messages: RTM_*ROUTE (rtnetlink(7)). IPv4; the only family-specific parts are `ip.ts` and AF_INET. */
import {
  AF_INET,
  FLAG,
  MESSAGE,
  NEXT_HOP_FLAG,
  PROTOCOL_NAMES,
  ROUTE_ATTRIBUTE,
  ROUTE_TYPES,
  SCOPE,
  TABLE,
} from './constants.ts';
import { formatAddress, parseAddress, writePrefix } from './ip.ts';
import { MessageBuilder, readUint32, walkAttributes } from './message.ts';
import type { RouteShape } from './route-shape.ts';

/** Bytes of struct rtmsg and of struct rtnexthop. */
export const ROUTE_LENGTH = 12;
const NEXT_HOP_LENGTH = 8;
/** Of one route: more than any router balances over, and a message stays small. */
const MAXIMUM_NEXT_HOPS = 128;

/** Where packets go next: over a gateway, or straight onto a link. */
export interface KernelNextHop {
  gateway?: string;
  /** Index of the interface; needed without a gateway, found by the kernel with one. */
  interface?: number;
  /** The gateway is on that link although no address of the link says so (RTNH_F_ONLINK). */
  onlink?: boolean;
}

/** What happens to packets for a prefix. A blackhole has no next hops; several next hops share the load (ECMP). */
export interface RouteTarget {
  type: 'unicast' | 'blackhole';
  nextHops: readonly KernelNextHop[];
  /** Source address of what the node itself sends over this route. */
  source?: string;
}

/** A route to be installed. */
export interface KernelRoute extends RouteTarget {
  /** Canonical `a.b.c.d/length`. */
  prefix: string;
  /** Lower wins; routes to one prefix differ in it. With 0 the kernel cannot tell it from "any" at deletion. */
  metric: number;
}

/** A route as the kernel shows it. */
export interface RouteEntry {
  prefix: string;
  metric: number;
  table: number;
  /** Who installed it (rtm_protocol), e.g. 179. */
  protocol: number;
  type: (typeof ROUTE_TYPES)[number];
  nextHops: KernelNextHop[];
  source: string;
  /** RTM_F_*: e.g. CLONED for a cache entry. */
  flags: number;
}

/** Which routes: a table and who installed them; 0 is any. */
export interface RouteOwner {
  table: number;
  protocol: number;
}

/** What a route does, in short. */
export interface InstalledTarget {
  type: RouteEntry['type'];
  /** Equal for equal targets. */
  key: string;
  /** Its next hops as attributes. */
  attributes: Buffer;
  /** The route as it was read, when it was not made by us as it is. */
  route?: RouteEntry;
}

/** A target with its attributes packed, so that thousands of routes share the work. */
export interface EncodedTarget extends InstalledTarget {
  target: RouteTarget;
  /** What a route with this target looks like in a dump, once one has been seen. */
  shape: RouteShape | null;
}

/** Packs a target. @throws TypeError when a next hop is not usable as given */
export function encodeTarget(target: RouteTarget): EncodedTarget {
  const { nextHops } = target;
  if (target.type === 'unicast' && nextHops.length === 0)
    throw new TypeError('a unicast route needs a next hop');
  if (target.type !== 'unicast' && nextHops.length > 0)
    throw new TypeError(`a ${target.type} has no next hops`);
  if (nextHops.length > MAXIMUM_NEXT_HOPS)
    throw new TypeError(`a route has at most ${MAXIMUM_NEXT_HOPS} next hops`);
  const builder = new MessageBuilder(64 + nextHops.length * 24);
  if (target.source !== undefined) builder.bytes(ROUTE_ATTRIBUTE.SOURCE, parseAddress(target.source));
  if (nextHops.length === 1) {
    const hop = checkNextHop(nextHops[0]);
    if (hop.gateway !== undefined) builder.bytes(ROUTE_ATTRIBUTE.GATEWAY, parseAddress(hop.gateway));
    if (hop.interface !== undefined) builder.uint32(ROUTE_ATTRIBUTE.INTERFACE, hop.interface);
  } else if (nextHops.length > 1) {
    builder.nest(ROUTE_ATTRIBUTE.MULTIPATH, () => {
      for (const hop of nextHops) writeNextHop(builder, checkNextHop(hop));
    });
  }
  return {
    type: target.type,
    key: targetKey(target),
    target,
    attributes: Buffer.from(builder.buffer.subarray(0, builder.length)),
    shape: null,
  };
}

/** What a route that was read does. */
export function describeInstalled(route: RouteEntry): InstalledTarget {
  const { type, nextHops } = route;
  const isPlain = type === 'unicast' && nextHops.length > 0 && nextHops.length <= MAXIMUM_NEXT_HOPS;
  const attributes = isPlain ? encodeTarget({ type, nextHops }).attributes : NO_ATTRIBUTES;
  return { type, key: targetKey(route), attributes, route };
}

/** A text that is equal for equal targets. */
function targetKey({ type, nextHops, source }: TargetFields): string {
  return `${type} ${nextHops.map(formatNextHop).join(', ')} ${source ?? ''}`;
}

/** Whether a route in the kernel does what `target` asks; what the target leaves open may be anything. */
export function matchesTarget(target: RouteTarget, route: RouteEntry): boolean {
  const { nextHops } = target;
  if (route.type !== target.type || route.source !== (target.source ?? '')) return false;
  if (route.nextHops.length !== nextHops.length) return target.type !== 'unicast';
  for (let i = 0; i < nextHops.length; i++) {
    const wanted = nextHops[i];
    const actual = route.nextHops[i];
    if (wanted.gateway !== actual.gateway || !wanted.onlink !== !actual.onlink) return false;
    if (wanted.interface !== undefined && wanted.interface !== actual.interface) return false;
  }
  return true;
}

type TargetFields = { type: string; nextHops: readonly KernelNextHop[]; source?: string };

/** A next hop in the words of ip-route(8), with the interface by its index. */
export function formatNextHop(hop: KernelNextHop): string {
  const parts = [];
  if (hop.gateway !== undefined) parts.push(`via ${hop.gateway}`);
  if (hop.interface !== undefined) parts.push(`dev ${hop.interface}`);
  if (hop.onlink) parts.push('onlink');
  return parts.join(' ');
}

/** Packs RTM_NEWROUTE for `prefix` with `flags` such as CREATE | REPLACE. */
export function buildNewRoute(
  builder: MessageBuilder,
  flags: number,
  owner: RouteOwner,
  prefix: string,
  metric: number,
  encoded: EncodedTarget,
): void {
  const fixed = builder.begin(MESSAGE.NEWROUTE, flags | FLAG.REQUEST, ROUTE_LENGTH);
  writeNewRoute(builder, fixed, owner, prefix, metric, encoded);
}

/**
 * Packs RTM_DELROUTE for the route of this owner, metric and target. The target is part of it because the kernel
 * takes a metric of 0 for "any": it would delete the next best route where ours is gone already.
 */
export function buildDeleteRoute(
  builder: MessageBuilder,
  owner: RouteOwner,
  prefix: string,
  metric: number,
  { type, attributes }: Pick<EncodedTarget, 'type' | 'attributes'>,
): void {
  const fixed = builder.begin(MESSAGE.DELROUTE, FLAG.REQUEST, ROUTE_LENGTH);
  writeDestination(builder, fixed, owner, prefix, metric, type);
  builder.buffer[fixed + 6] = SCOPE.NOWHERE; // any scope
  builder.raw(attributes);
}

/** Reads a route message whose fixed part begins at `start`; null when it is not an IPv4 route. */
export function parseRoute(buffer: Buffer, start: number, end: number): RouteEntry | null {
  if (end - start < ROUTE_LENGTH || buffer[start] !== AF_INET) return null;
  const entry: RouteEntry = {
    prefix: '',
    metric: 0,
    table: buffer[start + 4],
    protocol: buffer[start + 5],
    type: ROUTE_TYPES[buffer[start + 7]] ?? 'unspec',
    nextHops: [],
    source: '',
    flags: buffer.readUInt32LE(start + 8),
  };
  let address = '0.0.0.0';
  const hop: KernelNextHop = {};
  walkAttributes(buffer, start + ROUTE_LENGTH, end, (type, from, to) => {
    const isAddress = to - from === 4;
    if (type === ROUTE_ATTRIBUTE.DESTINATION && isAddress) address = formatAddress(buffer, from);
    else if (type === ROUTE_ATTRIBUTE.TABLE) entry.table = readUint32(buffer, from, to);
    else if (type === ROUTE_ATTRIBUTE.METRIC) entry.metric = readUint32(buffer, from, to);
    else if (type === ROUTE_ATTRIBUTE.GATEWAY && isAddress) hop.gateway = formatAddress(buffer, from);
    else if (type === ROUTE_ATTRIBUTE.INTERFACE) hop.interface = readUint32(buffer, from, to);
    else if (type === ROUTE_ATTRIBUTE.SOURCE && isAddress) entry.source = formatAddress(buffer, from);
    else if (type === ROUTE_ATTRIBUTE.MULTIPATH) readNextHops(buffer, from, to, entry.nextHops);
  });
  entry.prefix = `${address}/${buffer[start + 1]}`;
  if (hop.interface !== undefined || hop.gateway !== undefined) {
    if (entry.flags & NEXT_HOP_FLAG.ONLINK) hop.onlink = true;
    entry.nextHops.push(hop);
  }
  return entry;
}

/** `10.244.2.0/26 via 10.0.0.2 dev 3`, for errors and logs. */
export function formatRoute(route: RouteTarget & { prefix: string }): string {
  if (route.type !== 'unicast') return `${route.type} ${route.prefix}`;
  return `${route.prefix} ${route.nextHops.map(formatNextHop).join(' and ')}`;
}

/** The name of a route protocol, or its number. */
export function protocolName(protocol: number): string {
  return PROTOCOL_NAMES[protocol] ?? String(protocol);
}

/** Fills in RTM_NEWROUTE, whose fixed part is at `fixed`. */
export function writeNewRoute(
  builder: MessageBuilder,
  fixed: number,
  owner: RouteOwner,
  prefix: string,
  metric: number,
  { target, attributes }: EncodedTarget,
): void {
  writeDestination(builder, fixed, owner, prefix, metric, target.type);
  const onLink = target.type === 'unicast' && target.nextHops.every((hop) => hop.gateway === undefined);
  builder.buffer[fixed + 6] = onLink ? SCOPE.LINK : SCOPE.UNIVERSE;
  if (target.nextHops.length === 1 && target.nextHops[0].onlink) {
    builder.buffer.writeUInt32LE(NEXT_HOP_FLAG.ONLINK, fixed + 8);
  }
  builder.raw(attributes);
}

function writeDestination(
  builder: MessageBuilder,
  fixed: number,
  owner: RouteOwner,
  prefix: string,
  metric: number,
  type: RouteEntry['type'],
): void {
  const { buffer } = builder;
  buffer[fixed] = AF_INET;
  buffer[fixed + 1] = writePrefix(prefix, scratch, 0);
  buffer[fixed + 4] = owner.table < 256 ? owner.table : TABLE.UNSPEC;
  buffer[fixed + 5] = owner.protocol;
  buffer[fixed + 7] = ROUTE_TYPES.indexOf(type);
  builder.bytes(ROUTE_ATTRIBUTE.DESTINATION, scratch);
  if (owner.table >= 256) builder.uint32(ROUTE_ATTRIBUTE.TABLE, owner.table);
  if (metric !== 0) builder.uint32(ROUTE_ATTRIBUTE.METRIC, metric);
}

const scratch = Buffer.alloc(4);
const NO_ATTRIBUTES = Buffer.alloc(0);

function checkNextHop(hop: KernelNextHop): KernelNextHop {
  if (hop.gateway === undefined && !hop.interface)
    throw new TypeError('a next hop needs a gateway or an interface');
  return hop;
}

/** One entry of RTA_MULTIPATH: struct rtnexthop, then its attributes. */
function writeNextHop(builder: MessageBuilder, hop: KernelNextHop): void {
  const at = builder.length;
  builder.raw(Buffer.alloc(NEXT_HOP_LENGTH));
  if (hop.gateway !== undefined) builder.bytes(ROUTE_ATTRIBUTE.GATEWAY, parseAddress(hop.gateway));
  builder.buffer.writeUInt16LE(builder.length - at, at);
  builder.buffer[at + 2] = hop.onlink ? NEXT_HOP_FLAG.ONLINK : 0;
  builder.buffer.writeInt32LE(hop.interface ?? 0, at + 4);
}

function readNextHops(buffer: Buffer, start: number, end: number, into: KernelNextHop[]): void {
  let at = start;
  while (at + NEXT_HOP_LENGTH <= end) {
    const length = buffer.readUInt16LE(at);
    if (length < NEXT_HOP_LENGTH || at + length > end) return;
    const hop: KernelNextHop = { interface: buffer.readInt32LE(at + 4) };
    if (buffer[at + 2] & NEXT_HOP_FLAG.ONLINK) hop.onlink = true;
    walkAttributes(buffer, at + NEXT_HOP_LENGTH, at + length, (type, from, to) => {
      if (type === ROUTE_ATTRIBUTE.GATEWAY && to - from === 4) hop.gateway = formatAddress(buffer, from);
    });
    into.push(hop);
    at += (length + 3) & ~3;
  }
}
