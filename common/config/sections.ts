/** The parts of a configuration file that both daemons have, and the rules that go with them. */
import { canonicalAddress } from 'bgp-js';
import { type Cidr, contains, formatCidr, formatIPv4, overlaps, parseCidr } from '../ipv4.ts';
import { closest, type KeyPath, type Report } from './config.ts';
import { addressAt, cidrAt, listAt, listenAddressAt, textAt, valueAt } from './content.ts';
import { endpointOrOff, flag, oneOf, optionalSection } from './values.ts';

/** The HTTP side of the status endpoint. */
export const httpSection = optionalSection({
  listen: endpointOrOff.default({ address: '127.0.0.1', port: 9179 }),
  allowRemote: flag.default(false),
});

export const logSection = optionalSection({
  level: oneOf('debug', 'info', 'warn', 'error').default('info'),
  format: oneOf('auto', 'text', 'json').default('auto'),
});

const LOOPBACK: Cidr = { address: 0x7f000000, length: 8 };

/** The status endpoint has no authentication: it leaves the machine only when that is asked for in so many words. */
export function checkHttp(content: unknown, report: Report): void {
  const address = listenAddressAt(content, ['http', 'listen']);
  if (address === undefined || contains(LOOPBACK, address)) return;
  if (valueAt(content, ['http', 'allowRemote']) === true) return;
  report(
    ['http', 'listen'],
    'can be reached from other machines, and the endpoint asks nobody for a password; ' +
      'write an address of 127.0.0.0/8, or add "allowRemote: true" to http when a firewall guards it',
  );
}

/** What the rules about peers have to know of the daemon that has them. */
export interface PeerRules {
  /** The key of the list. */
  list: 'peers' | 'clients';
  /** The daemon's own address, which cannot be a peer's; undefined when it is not known. */
  ownAddress?: number;
}

/** The rules of a list of peers: one of `address` and `range` each, nobody twice, no ranges that overlap. */
export function checkPeers(content: unknown, rules: PeerRules, report: Report): void {
  const addresses = new Map<number, string>();
  const texts = new Map<string, string>();
  const names = new Map<string, string>();
  const ranges: { range: Cidr; key: string }[] = [];
  for (const index of listAt(content, [rules.list]).keys()) {
    const path = [rules.list, index];
    const key = `${rules.list}[${index}]`;
    checkPeerKind(content, path, report);
    checkSession(content, path, report);
    checkIPv6Twin(content, path, texts, report);
    const address = addressAt(content, [...path, 'address']);
    if (address !== undefined) {
      checkPeerAddress(address, { ...rules, path, addresses }, report);
      if (!addresses.has(address)) addresses.set(address, key);
    }
    const range = cidrAt(content, [...path, 'range']);
    if (range !== undefined) {
      checkPeerRange(range, path, ranges, report);
      ranges.push({ range, key });
    }
    const name = textAt(content, [...path, 'name']);
    const namesake = name === undefined ? undefined : names.get(name);
    if (namesake !== undefined) report([...path, 'name'], `is also the name of ${namesake}; choose another`);
    else if (name !== undefined) names.set(name, key);
  }
}

function checkPeerKind(content: unknown, path: KeyPath, report: Report): void {
  const has = (key: string) => valueAt(content, [...path, key]) !== undefined;
  const entry = valueAt(content, path);
  // Anything but a mapping is reported by the schema.
  if (typeof entry !== 'object' || entry === null || Array.isArray(entry)) return;
  if (has('address') && has('range')) {
    report(
      [...path, 'range'],
      'stands beside "address"; keep "address" for one peer or "range" for many, not both',
    );
    return;
  }
  if (!has('address') && !has('range')) {
    // A mistyped one is reported as such.
    if (Object.keys(entry).some((key) => closest(key, ['address', 'range']) !== undefined)) return;
    report(path, 'has neither "address" nor "range"; add "address" for one peer or "range" for many');
    return;
  }
  if (has('address')) {
    if (has('maximumPeers')) report([...path, 'maximumPeers'], 'is for a range only; remove it');
    return;
  }
  if (has('port'))
    report([...path, 'port'], 'is for "address" only, as peers of a range connect to us; remove it');
  if (valueAt(content, [...path, 'passive']) === false) {
    report([...path, 'passive'], 'cannot be, as peers of a range connect to us; remove it or write true');
  }
}

/** The rules between the options of one session. */
function checkSession(content: unknown, path: KeyPath, report: Report): void {
  const has = (key: string) => valueAt(content, [...path, key]) !== undefined;
  if (has('ttlSecurity') && has('multihop'))
    report(
      [...path, 'multihop'],
      'stands beside "ttlSecurity", which sends with a TTL of 255; keep one of them',
    );
  if (has('roleStrict') && !has('role'))
    report([...path, 'roleStrict'], 'means nothing without "role"; add it, or remove this');
  if (has('localAsMode') && !has('localAs'))
    report([...path, 'localAsMode'], 'means nothing without "localAs"; add it, or remove this');
  if (has('maximumPrefixesRestart') && valueAt(content, [...path, 'maximumPrefixesAction']) === 'drop')
    report([...path, 'maximumPrefixesRestart'], 'means nothing when the session goes on; remove it');
}

/** Twins among IPv4 peers are found by number; here those of IPv6, by their one form. */
function checkIPv6Twin(content: unknown, path: KeyPath, texts: Map<string, string>, report: Report): void {
  for (const key of ['address', 'range'] as const) {
    const [text, length] = (textAt(content, [...path, key]) ?? '').split('/');
    const canonical = text.includes(':') ? canonicalAddress(text) : null;
    if (canonical === null) continue;
    const name = length === undefined ? canonical : `${canonical}/${length}`;
    const twin = texts.get(name);
    if (twin !== undefined) report([...path, key], `is also the ${key} of ${twin}; remove one of the two`);
    else texts.set(name, `${String(path[0])}[${String(path[1])}]`);
  }
}

interface AddressRules extends PeerRules {
  path: KeyPath;
  addresses: ReadonlyMap<number, string>;
}

function checkPeerAddress(address: number, rules: AddressRules, report: Report): void {
  const path = [...rules.path, 'address'];
  const twin = rules.addresses.get(address);
  if (twin !== undefined)
    report(path, `is also the address of ${twin}; a peer has one session, remove one of the two`);
  if (address === rules.ownAddress) report(path, 'is the own address; a peer is another machine, remove it');
}

function checkPeerRange(
  range: Cidr,
  path: KeyPath,
  others: { range: Cidr; key: string }[],
  report: Report,
): void {
  const other = others.find((candidate) => overlaps(candidate.range, range));
  if (other === undefined) return;
  const reason = `overlaps ${formatCidr(other.range)} of ${other.key}, so that a peer could belong to either`;
  report([...path, 'range'], `${reason}; make them disjoint`);
}

const UNUSABLE: [string, string][] = [
  ['0.0.0.0/8', '"this network" (RFC 1122)'],
  ['127.0.0.0/8', 'loopback'],
  ['169.254.0.0/16', 'link-local, which holds the gateway address of all pods'],
  ['224.0.0.0/4', 'multicast'],
  ['240.0.0.0/4', 'reserved'],
];

/** The rules of the ranges from which pods get their addresses. */
export function checkPodRanges(content: unknown, ownAddress: number | undefined, report: Report): void {
  const seen: { range: Cidr; key: string }[] = [];
  for (const index of listAt(content, ['podCIDRs']).keys()) {
    const path = ['podCIDRs', index];
    const range = cidrAt(content, path);
    if (range === undefined) continue;
    const other = seen.find((candidate) => overlaps(candidate.range, range));
    if (other !== undefined) {
      report(path, `overlaps ${formatCidr(other.range)} of ${other.key}; make the ranges disjoint`);
    }
    seen.push({ range, key: `podCIDRs[${index}]` });
    const unusable = UNUSABLE.find(([network]) => overlaps(parseCidr(network) as Cidr, range));
    if (unusable !== undefined) {
      report(
        path,
        `holds addresses of ${unusable[0]}, ${unusable[1]}; choose a range of 10.0.0.0/8, for example`,
      );
    }
    // The blackhole of the range would be the very route of its only pod.
    if (range.length === 32) report(path, 'has room for one address only; write a length of 31 or less');
    if (unusable === undefined && ownAddress !== undefined && contains(range, ownAddress)) {
      report(
        path,
        `holds the node's own address ${formatIPv4(ownAddress)}; choose a range apart from those of the nodes`,
      );
    }
  }
}
