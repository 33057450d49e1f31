/** The key `listen`: the endpoints at which BGP sessions are accepted, and peers that cannot reach any of them. */
import { IPAddress, IPPrefix } from 'bgp-js/ip';
import * as z from 'zod';
import type { KeyPath, Report } from './config.ts';
import { addressAt, listAt, prefixAt, valueAt } from './content.ts';
import { type Endpoint, formatEndpoint, parseEndpoint } from './values.ts';

const LOOPBACK = [IPPrefix.of(IPAddress.v4(0x7f000000), 8), IPPrefix.host(IPAddress.v6(0, 0, 0, 1))];

/** One endpoint or a list of them: `10.0.0.1:179`, or `["10.0.0.1:179", "[2001:db8::1]:179"]`. */
export const endpoints = endpointList('is not ADDRESS:PORT', false);

/** The same, or `off` for none (an empty list). */
export const endpointsOrOff = endpointList('is neither ADDRESS:PORT nor off', true);

function endpointList(wrong: string, mayBeOff: boolean): z.ZodType<Endpoint[]> {
  return z.unknown().transform((value, context): Endpoint[] => {
    if (mayBeOff && (value === 'off' || value === false)) return [];
    const items: unknown[] = Array.isArray(value) ? value : [value];
    const fail = (message: string, path: number[]): void => {
      context.issues.push({ code: 'custom', input: value, message, path });
    };
    if (items.length === 0) fail('has no entries; add an endpoint, such as 10.0.0.1:179', []);
    return items.flatMap((item, index) => {
      const found = parseEndpoint(item);
      const isScoped = found?.address.version === 6 && found.address.isLinkLocal;
      if (found !== undefined && !isScoped) return [found];
      const message =
        found === undefined
          ? `${wrong} (example: 10.0.0.1:179 or "[2001:db8::1]:179")`
          : 'is link-local; use "[::]:179" to accept sessions of link-local peers';
      fail(message, Array.isArray(value) ? [index] : []);
      return [];
    });
  });
}

/** The valid endpoints at a path, each with its own path; none if the key is missing or `off`. */
export function endpointsAt(content: unknown, path: KeyPath): { endpoint: Endpoint; path: KeyPath }[] {
  const value = valueAt(content, path);
  const items = Array.isArray(value)
    ? value.map((item, index) => ({ item, path: [...path, index] }))
    : [{ item: value, path }];
  return items.flatMap(({ item, path }) => {
    const endpoint = parseEndpoint(item);
    return endpoint === undefined ? [] : [{ endpoint, path }];
  });
}

/** What the rules for `listen` need to know about the daemon. */
export interface ListenRules {
  /** The key of the endpoints. */
  path: KeyPath;
  /** The endpoints if the key is missing; undefined if they are not known. */
  byDefault: readonly Endpoint[] | undefined;
  /** The key of the list of peers. */
  list: 'peers' | 'clients';
}

/** Reports endpoints that exclude each other, and passive peers that cannot reach any endpoint. */
export function checkListen(content: unknown, rules: ListenRules, report: Report): void {
  const { path, list } = rules;
  const name = path.join('.');
  const written = endpointsAt(content, path);
  for (const [index, one] of written.entries()) {
    const other = written.slice(0, index).find(({ endpoint }) => conflicts(endpoint, one.endpoint));
    if (other) report(one.path, `is covered by ${formatEndpoint(other.endpoint)}; remove one of the two`);
  }
  const value = valueAt(content, path);
  const listed = endpointsOrOff.safeParse(value);
  // An invalid value has been reported by the schema.
  const all = value === undefined ? rules.byDefault : listed.data;
  if (all === undefined) return;
  for (const index of listAt(content, [list]).keys()) {
    const peerPath = [list, index];
    const range = prefixAt(content, [...peerPath, 'range']);
    const isPassive = valueAt(content, [...peerPath, 'passive']) === true;
    const address = isPassive ? addressAt(content, [...peerPath, 'address']) : undefined;
    const peer = range ?? (address && IPPrefix.host(address));
    if (peer === undefined || all.some((endpoint) => isReachable(endpoint, peer, all))) continue;
    const key = range === undefined ? 'address' : 'range';
    report([...peerPath, key], `can never connect: ${reason(all, name)}; ${remedy(all, name, peer)}`);
  }
}

/** Whether two endpoints need the same port of the same address. `::` beside an IPv4 endpoint accepts IPv6 alone. */
function conflicts(one: Endpoint, other: Endpoint): boolean {
  const [a, b] = [one.address, other.address];
  return (
    one.port === other.port && a.version === b.version && (a.isUnspecified || b.isUnspecified || a.equals(b))
  );
}

/** Whether a peer can connect to an endpoint. `all`: `::` accepts IPv4 unless an IPv4 endpoint has its port. */
function isReachable({ address, port }: Endpoint, peer: IPPrefix, all: readonly Endpoint[]): boolean {
  const hasIPv4 = all.some((other) => other.address.version === 4 && other.port === port);
  const isDualStack = address.version === 6 && address.isUnspecified && !hasIPv4;
  if (address.version !== peer.version && !isDualStack) return false;
  const isLoopback = LOOPBACK.some((prefix) => prefix.contains(address));
  return !isLoopback || LOOPBACK.some((prefix) => prefix.overlaps(peer));
}

function reason(all: readonly Endpoint[], key: string): string {
  return all.length === 0 ? `"${key}" is off` : `"${key}" has only ${all.map(formatEndpoint).join(', ')}`;
}

function remedy(all: readonly Endpoint[], key: string, peer: IPPrefix): string {
  const verb = all.length === 0 ? `set "${key}" to` : `add to "${key}"`;
  const example = peer.version === 6 ? '"[::]:179"' : '0.0.0.0:179';
  return `${verb} an IPv${peer.version} endpoint that it can reach, such as ${example}`;
}
