/**
 * Routes as messages: RTM_*ROUTE (rtnetlink(7)), of both families.
 *
 * Packed and read by our own code, unlike links, addresses and neighbours (`codec.ts`), because a table holds hundreds
 * of thousands of them: a target is encoded once for all routes that share it (`encodeTarget`), a route is packed into
 * a buffer that is reused (`packNewRoute`), and in a dump a route of a known shape is recognised without decoding it
 * (`RouteCursor`). docs/dependencies.md has the figures.
 */
import { IPAddress, IPPrefix, type IPVersion } from 'bgp-js/ip';
import {
  AF_INET,
  AF_INET6,
  FLAG,
  MESSAGE,
  NEXT_HOP_FLAG,
  PROTOCOL_NAMES,
  ROUTE_ATTRIBUTE,
  ROUTE_TYPES,
  SCOPE,
  TABLE,
} from './constants.ts';
import { MessageBuilder, readUint32, walkAttributes } from './netlink.ts';

/** Bytes of struct rtmsg and of struct rtnexthop. */
export const ROUTE_LENGTH = 12;
const NEXT_HOP_LENGTH = 8;
/** Of one route: more than any router balances over, and a message stays small. */
const MAXIMUM_NEXT_HOPS = 128;
/** Offsets in struct rtmsg. */
const PREFIX_LENGTH = 1; // rtm_dst_len
const TYPE_OF_SERVICE = 3; // rtm_tos

/** Where packets go next: to a gateway, or directly onto a link. */
export interface KernelNextHop {
  /** Of either family: an IPv4 route can have an IPv6 gateway (RFC 8950), packed as RTA_VIA. */
  gateway?: IPAddress;
  /** Index of the interface; needed without a gateway, found by the kernel with one. */
  interface?: number;
  /** The gateway is on that link although no prefix of the link contains it (RTNH_F_ONLINK). */
  onlink?: boolean;
}

/** What happens to packets for a prefix. A blackhole has no next hops; several next hops share the load (ECMP). */
export interface RouteTarget {
  type: 'unicast' | 'blackhole';
  nextHops: readonly KernelNextHop[];
  /** Source address of packets that the node itself sends over this route. */
  source?: IPAddress;
}

/** A route to be installed. */
export interface KernelRoute extends RouteTarget {
  prefix: IPPrefix;
  /** The lowest wins; routes to one prefix differ in it. At deletion the kernel reads 0 as "any metric". */
  metric: number;
}

/** A route as the kernel shows it. */
export interface RouteEntry {
  prefix: IPPrefix;
  metric: number;
  table: number;
  /** Who installed it (rtm_protocol), e.g. 179. */
  protocol: number;
  type: (typeof ROUTE_TYPES)[number];
  nextHops: KernelNextHop[];
  source: IPAddress | null;
  /** RTM_F_*: e.g. CLONED for a cache entry. */
  flags: number;
}

/** Selects routes by their table and who installed them; 0 means any. */
export interface RouteOwner {
  table: number;
  protocol: number;
}

/** What a route in the kernel does. */
export interface InstalledTarget {
  type: RouteEntry['type'];
  /** Equal for equal targets. */
  key: string;
  /** Its next hops as attributes. */
  attributes: Buffer;
  /** The decoded route, when it differs from every target of ours. */
  route?: RouteEntry;
}

/** A target with its attributes packed, so that thousands of routes share the work. */
export interface EncodedTarget extends InstalledTarget {
  target: RouteTarget;
  /** What a route with this target looks like in a dump, once one has been seen. */
  shape: RouteShape | null;
}

/** Packs the target of routes of one family. @throws TypeError when a next hop is not usable as given */
export function encodeTarget(target: RouteTarget, version: IPVersion = 4): EncodedTarget {
  const { nextHops } = target;
  if (target.type === 'unicast' && nextHops.length === 0)
    throw new TypeError('a unicast route needs a next hop');
  if (target.type !== 'unicast' && nextHops.length > 0)
    throw new TypeError(`a ${target.type} has no next hops`);
  if (nextHops.length > MAXIMUM_NEXT_HOPS)
    throw new TypeError(`a route has at most ${MAXIMUM_NEXT_HOPS} next hops`);
  const builder = new MessageBuilder(64 + nextHops.length * 36);
  if (target.source !== undefined) builder.bytes(ROUTE_ATTRIBUTE.SOURCE, target.source.toBytes());
  if (nextHops.length === 1) {
    const hop = checkNextHop(nextHops[0]);
    writeGateway(builder, hop, version);
    if (hop.interface !== undefined) builder.uint32(ROUTE_ATTRIBUTE.INTERFACE, hop.interface);
  } else if (nextHops.length > 1) {
    builder.nest(ROUTE_ATTRIBUTE.MULTIPATH, () => {
      for (const hop of nextHops) writeNextHop(builder, checkNextHop(hop), version);
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

/** The target of a route that was read. */
export function describeInstalled(route: RouteEntry): InstalledTarget {
  const { type, nextHops, prefix } = route;
  const isPlain = type === 'unicast' && nextHops.length > 0 && nextHops.length <= MAXIMUM_NEXT_HOPS;
  const attributes = isPlain ? encodeTarget({ type, nextHops }, prefix.version).attributes : NO_ATTRIBUTES;
  return { type, key: targetKey(route), attributes, route };
}

/** A text that is equal for equal targets. */
function targetKey({ type, nextHops, source }: TargetFields): string {
  return `${type} ${nextHops.map(formatNextHop).join(', ')} ${source ?? ''}`;
}

/** Whether a route in the kernel does what `target` asks; fields the target leaves open may have any value. */
export function matchesTarget(target: RouteTarget, route: RouteEntry): boolean {
  const { nextHops } = target;
  if (route.type !== target.type || !isSame(route.source, target.source)) return false;
  if (route.nextHops.length !== nextHops.length) return target.type !== 'unicast';
  for (let i = 0; i < nextHops.length; i++) {
    const wanted = nextHops[i];
    const actual = route.nextHops[i];
    if (!isSame(wanted.gateway, actual.gateway) || !wanted.onlink !== !actual.onlink) return false;
    if (wanted.interface !== undefined && wanted.interface !== actual.interface) return false;
  }
  return true;
}

type TargetFields = { type: string; nextHops: readonly KernelNextHop[]; source?: IPAddress | null };

function isSame(a: IPAddress | null | undefined, b: IPAddress | null | undefined): boolean {
  return a && b ? a.sameBits(b) : !a && !b;
}

/** A next hop as ip-route(8) writes it, with the interface by its index. */
export function formatNextHop(hop: KernelNextHop): string {
  const parts = [];
  if (hop.gateway !== undefined) parts.push(`via ${hop.gateway}`);
  if (hop.interface !== undefined) parts.push(`dev ${hop.interface}`);
  if (hop.onlink) parts.push('onlink');
  return parts.join(' ');
}

/** Packs RTM_NEWROUTE for `prefix` with `flags` such as CREATE | REPLACE. */
export function packNewRoute(
  builder: MessageBuilder,
  flags: number,
  owner: RouteOwner,
  prefix: IPPrefix,
  metric: number,
  encoded: EncodedTarget,
): void {
  const fixed = builder.begin(MESSAGE.NEWROUTE, flags | FLAG.REQUEST, ROUTE_LENGTH);
  writeNewRoute(builder, fixed, owner, prefix, metric, encoded);
}

/**
 * Packs RTM_DELROUTE for the route of this owner, metric and target. The target is part of it because the kernel
 * reads a metric of 0 as "any": where ours is gone already, it would delete the next best route.
 */
export function packDeleteRoute(
  builder: MessageBuilder,
  owner: RouteOwner,
  prefix: IPPrefix,
  metric: number,
  { type, attributes }: Pick<EncodedTarget, 'type' | 'attributes'>,
): void {
  const fixed = builder.begin(MESSAGE.DELROUTE, FLAG.REQUEST, ROUTE_LENGTH);
  writeDestination(builder, fixed, owner, prefix, metric, type);
  builder.buffer[fixed + 6] = SCOPE.NOWHERE; // any scope
  builder.raw(attributes);
}

/** Fills in RTM_NEWROUTE, whose fixed part is at `fixed`. */
export function writeNewRoute(
  builder: MessageBuilder,
  fixed: number,
  owner: RouteOwner,
  prefix: IPPrefix,
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

/** Reads a route message whose fixed part starts at `start`; null when it is not a valid IPv4 or IPv6 route. */
export function parseRoute(buffer: Buffer, start: number, end: number): RouteEntry | null {
  const version = versionAt(buffer, start, end);
  if (version === null) return null;
  const octets = octetsOf(version);
  const entry = {
    metric: 0,
    table: buffer[start + 4],
    protocol: buffer[start + 5],
    type: ROUTE_TYPES[buffer[start + 7]] ?? 'unspec',
    nextHops: [] as KernelNextHop[],
    source: null as IPAddress | null,
    flags: buffer.readUInt32LE(start + 8),
  };
  let address = UNSPECIFIED[version];
  const hop: KernelNextHop = {};
  walkAttributes(buffer, start + ROUTE_LENGTH, end, (type, from, to) => {
    const isAddress = to - from === octets;
    if (type === ROUTE_ATTRIBUTE.DESTINATION && isAddress) address = IPAddress.read(buffer, from, version);
    else if (type === ROUTE_ATTRIBUTE.TABLE) entry.table = readUint32(buffer, from, to);
    else if (type === ROUTE_ATTRIBUTE.METRIC) entry.metric = readUint32(buffer, from, to);
    else if (type === ROUTE_ATTRIBUTE.INTERFACE) hop.interface = readUint32(buffer, from, to);
    else if (type === ROUTE_ATTRIBUTE.SOURCE && isAddress)
      entry.source = IPAddress.read(buffer, from, version);
    else if (type === ROUTE_ATTRIBUTE.MULTIPATH) readNextHops(buffer, from, to, version, entry.nextHops);
    else readGateway(buffer, type, from, to, version, hop);
  });
  if (hop.interface !== undefined || hop.gateway !== undefined) {
    if (entry.flags & NEXT_HOP_FLAG.ONLINK) hop.onlink = true;
    entry.nextHops.push(hop);
  }
  return { prefix: IPPrefix.of(address, buffer[start + PREFIX_LENGTH]), ...entry };
}

/** `10.244.2.0/26 via 10.0.0.2 dev 3`, for errors and logs. */
export function formatRoute(route: RouteTarget & { prefix: IPPrefix }): string {
  if (route.type !== 'unicast') return `${route.type} ${route.prefix}`;
  return `${route.prefix} ${route.nextHops.map(formatNextHop).join(' and ')}`;
}

/** The name of a route protocol, or its number. */
export function protocolName(protocol: number): string {
  return PROTOCOL_NAMES[protocol] ?? String(protocol);
}

/**
 * Whether the route message at `start` is for one type of service only. We never install such a route, and prefix and
 * metric do not identify it, so it is never one of ours.
 */
export function hasTypeOfService(buffer: Buffer, start: number): boolean {
  return buffer[start + TYPE_OF_SERVICE] !== 0;
}

/** The kernel's number of an address family. */
export function familyOf(version: IPVersion): number {
  return version === 4 ? AF_INET : AF_INET6;
}

/** A route message, and the offsets of its prefix and metric from the message's start; 0 when it has none. */
export interface RouteShape {
  bytes: Buffer;
  destination: number;
  metric: number;
}

/**
 * A position in a dump. Thousands of routes share a target, and their messages differ in prefix and metric only. Once
 * one of them has been decoded and found right (`capture`), the others are compared with it byte by byte (`hasShape`).
 * This saves most of the time and nearly all of the garbage of a dump.
 */
export class RouteCursor {
  #buffer: Buffer = NO_ATTRIBUTES;
  #start = 0;
  #end = 0;
  #version: IPVersion = 4;
  #destination = 0;
  #metric = 0;

  /** Moves to a route message and finds its prefix and metric; false when it is not an IPv4 or IPv6 route. */
  locate(buffer: Buffer, start: number, end: number): boolean {
    const version = versionAt(buffer, start, end);
    if (version === null) return false;
    this.#buffer = buffer;
    this.#start = start;
    this.#end = end;
    this.#version = version;
    this.#destination = 0;
    this.#metric = 0;
    const addressLength = 4 + octetsOf(version);
    let at = start + ROUTE_LENGTH;
    while (at + 4 <= end) {
      const length = buffer.readUInt16LE(at);
      if (length < 4 || at + length > end) break;
      const type = buffer.readUInt16LE(at + 2);
      if (length === addressLength && type === ROUTE_ATTRIBUTE.DESTINATION)
        this.#destination = at + 4 - start;
      else if (length === 8 && type === ROUTE_ATTRIBUTE.METRIC) this.#metric = at + 4 - start;
      at += (length + 3) & ~3;
    }
    return true;
  }

  /** The key of the route's prefix, without making the prefix. */
  get prefixKey(): number | string {
    if (this.#version === 6) return this.prefix.key;
    const length = this.#buffer[this.#start + PREFIX_LENGTH];
    if (this.#destination === 0) return length;
    return this.#buffer.readUInt32BE(this.#start + this.#destination) * 64 + length;
  }

  get prefix(): IPPrefix {
    const length = this.#buffer[this.#start + PREFIX_LENGTH];
    const at = this.#start + this.#destination;
    const address =
      this.#destination === 0 ? UNSPECIFIED[this.#version] : IPAddress.read(this.#buffer, at, this.#version);
    return IPPrefix.of(address, length);
  }

  get metric(): number {
    return this.#metric === 0 ? 0 : this.#buffer.readUInt32LE(this.#start + this.#metric);
  }

  /** A copy to compare others with. */
  capture(): RouteShape {
    const bytes = Buffer.from(this.#buffer.subarray(this.#start, this.#end));
    return { bytes, destination: this.#destination, metric: this.#metric };
  }

  /** Whether this is the same route as `shape` but for prefix and metric. */
  hasShape({ bytes, destination, metric }: RouteShape): boolean {
    const start = this.#start;
    const buffer = this.#buffer;
    if (destination !== this.#destination || metric !== this.#metric) return false;
    if (bytes.length !== this.#end - start || buffer[start] !== bytes[0]) return false;
    const octets = octetsOf(this.#version);
    for (let i = PREFIX_LENGTH + 1; i < bytes.length; i++) {
      if (bytes[i] === buffer[start + i]) continue;
      const isPrefix = destination > 0 && i >= destination && i < destination + octets;
      const isMetric = metric > 0 && i >= metric && i < metric + 4;
      if (!isPrefix && !isMetric) return false;
    }
    return true;
  }
}

function writeDestination(
  builder: MessageBuilder,
  fixed: number,
  owner: RouteOwner,
  prefix: IPPrefix,
  metric: number,
  type: RouteEntry['type'],
): void {
  const { buffer } = builder;
  buffer[fixed] = familyOf(prefix.version);
  buffer[fixed + PREFIX_LENGTH] = prefix.length;
  buffer[fixed + 4] = owner.table < 256 ? owner.table : TABLE.UNSPEC;
  buffer[fixed + 5] = owner.protocol;
  buffer[fixed + 7] = ROUTE_TYPES.indexOf(type);
  builder.address(ROUTE_ATTRIBUTE.DESTINATION, prefix.address);
  if (owner.table >= 256) builder.uint32(ROUTE_ATTRIBUTE.TABLE, owner.table);
  if (metric !== 0) builder.uint32(ROUTE_ATTRIBUTE.METRIC, metric);
}

const NO_ATTRIBUTES = Buffer.alloc(0);
const UNSPECIFIED = { 4: IPAddress.v4(0), 6: IPAddress.v6(0, 0, 0, 0) } as const;

const octetsOf = (version: IPVersion): number => (version === 4 ? 4 : 16);

/** The version of the route at `start`, or null when it is neither IPv4 nor IPv6 or malformed. */
function versionAt(buffer: Buffer, start: number, end: number): IPVersion | null {
  if (end - start < ROUTE_LENGTH) return null;
  const length = buffer[start + PREFIX_LENGTH];
  if (buffer[start] === AF_INET) return length <= 32 ? 4 : null;
  return buffer[start] === AF_INET6 && length <= 128 ? 6 : null;
}

function checkNextHop(hop: KernelNextHop): KernelNextHop {
  if (hop.gateway === undefined && !hop.interface)
    throw new TypeError('a next hop needs a gateway or an interface');
  return hop;
}

/** RTA_GATEWAY, or RTA_VIA for a gateway of the other family: its family as 16 bits, then the address. */
function writeGateway(builder: MessageBuilder, { gateway }: KernelNextHop, version: IPVersion): void {
  if (gateway === undefined) return;
  if (gateway.version === version) builder.address(ROUTE_ATTRIBUTE.GATEWAY, gateway);
  else {
    const via = Buffer.alloc(2 + octetsOf(gateway.version));
    via.writeUInt16LE(familyOf(gateway.version));
    gateway.write(via, 2);
    builder.bytes(ROUTE_ATTRIBUTE.VIA, via);
  }
}

function readGateway(
  buffer: Buffer,
  type: number,
  from: number,
  to: number,
  version: IPVersion,
  hop: KernelNextHop,
): void {
  if (type === ROUTE_ATTRIBUTE.GATEWAY && to - from === octetsOf(version)) {
    hop.gateway = IPAddress.read(buffer, from, version);
  } else if (type === ROUTE_ATTRIBUTE.VIA && to - from >= 2) {
    const other: IPVersion = buffer.readUInt16LE(from) === AF_INET6 ? 6 : 4;
    if (to - from === 2 + octetsOf(other)) hop.gateway = IPAddress.read(buffer, from + 2, other);
  }
}

/** One entry of RTA_MULTIPATH: struct rtnexthop, then its attributes. */
function writeNextHop(builder: MessageBuilder, hop: KernelNextHop, version: IPVersion): void {
  const at = builder.length;
  builder.raw(Buffer.alloc(NEXT_HOP_LENGTH));
  writeGateway(builder, hop, version);
  builder.buffer.writeUInt16LE(builder.length - at, at);
  builder.buffer[at + 2] = hop.onlink ? NEXT_HOP_FLAG.ONLINK : 0;
  builder.buffer.writeInt32LE(hop.interface ?? 0, at + 4);
}

function readNextHops(
  buffer: Buffer,
  start: number,
  end: number,
  version: IPVersion,
  into: KernelNextHop[],
): void {
  let at = start;
  while (at + NEXT_HOP_LENGTH <= end) {
    const length = buffer.readUInt16LE(at);
    if (length < NEXT_HOP_LENGTH || at + length > end) return;
    const hop: KernelNextHop = { interface: buffer.readInt32LE(at + 4) };
    if (buffer[at + 2] & NEXT_HOP_FLAG.ONLINK) hop.onlink = true;
    walkAttributes(buffer, at + NEXT_HOP_LENGTH, at + length, (type, from, to) =>
      readGateway(buffer, type, from, to, version, hop),
    );
    into.push(hop);
    at += (length + 3) & ~3;
  }
}
