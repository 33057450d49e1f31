/** The sections of a configuration file that both daemons have, and the rules for peers and pod prefixes. */
import { IPAddress, IPPrefix } from 'bgp-js/ip';
import { closest, type KeyPath, type Report } from './config.ts';
import { addressAt, listAt, listenAddressAt, prefixAt, textAt, valueAt } from './content.ts';
import { flag, httpEndpoint, oneOf, optionalSection } from './values.ts';

/** Where the status endpoint listens for HTTP. */
export const httpSection = optionalSection({
  listen: httpEndpoint.default({ address: IPAddress.v4(0x7f000001), port: 9179 }),
  allowRemote: flag.default(false),
});

/** The level and format of the log. */
export const logSection = optionalSection({
  level: oneOf('debug', 'info', 'warn', 'error').default('info'),
  format: oneOf('auto', 'text', 'json').default('auto'),
});

const LOOPBACK = IPPrefix.of(IPAddress.v4(0x7f000000), 8);
const LOOPBACK_IPV6 = IPPrefix.host(IPAddress.v6(0, 0, 0, 1));

/** Checks http.listen: the status endpoint has no authentication, so only `allowRemote` opens it to other machines. */
export function checkHttp(content: unknown, report: Report): void {
  const address = listenAddressAt(content, ['http', 'listen']);
  if (address === undefined || LOOPBACK.contains(address) || LOOPBACK_IPV6.contains(address)) return;
  if (valueAt(content, ['http', 'allowRemote']) === true) return;
  report(
    ['http', 'listen'],
    'is reachable from other machines, and the endpoint has no authentication; ' +
      'use 127.0.0.1 or [::1], or set "allowRemote: true" in http if a firewall protects it',
  );
}

/** What the rules for peers need to know about the daemon. */
export interface PeerRules {
  /** The key of the list. */
  list: 'peers' | 'clients';
  /** The daemon's own addresses, as far as known; they cannot be a peer's. */
  ownAddresses: readonly IPAddress[];
}

/** Checks a list of peers: each has `address` or `range`, none occurs twice, and no ranges overlap. */
export function checkPeers(content: unknown, rules: PeerRules, report: Report): void {
  const addresses = new Map<IPAddress['key'], string>();
  const names = new Map<string, string>();
  const ranges: KnownPrefix[] = [];
  for (const index of listAt(content, [rules.list]).keys()) {
    const path = [rules.list, index];
    const key = `${rules.list}[${index}]`;
    checkPeerKind(content, path, report);
    checkSession(content, path, report);
    const address = addressAt(content, [...path, 'address']);
    if (address !== undefined) {
      checkPeerAddress(address, { ...rules, path, addresses }, report);
      if (!addresses.has(address.key)) addresses.set(address.key, key);
    }
    const prefix = prefixAt(content, [...path, 'range']);
    if (prefix !== undefined) {
      checkPeerRange(prefix, path, ranges, report);
      ranges.push({ prefix, key });
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
  // The schema reports anything but a mapping.
  if (typeof entry !== 'object' || entry === null || Array.isArray(entry)) return;
  if (has('address') && has('range')) {
    report(
      [...path, 'range'],
      'cannot be combined with "address"; use "address" for one peer or "range" for many',
    );
    return;
  }
  if (!has('address') && !has('range')) {
    // A mistyped key is reported as unknown.
    if (Object.keys(entry).some((key) => closest(key, ['address', 'range']) !== undefined)) return;
    report(path, 'has neither "address" nor "range"; use "address" for one peer or "range" for many');
    return;
  }
  if (has('address')) {
    if (has('maximumPeers')) report([...path, 'maximumPeers'], 'applies to a range only; remove it');
    return;
  }
  if (has('port'))
    report([...path, 'port'], 'applies to "address" only, because peers of a range connect to us; remove it');
  if (valueAt(content, [...path, 'passive']) === false) {
    report(
      [...path, 'passive'],
      'is not possible, because peers of a range connect to us; remove it or write true',
    );
  }
}

/** Checks the options of one session against each other. */
function checkSession(content: unknown, path: KeyPath, report: Report): void {
  const has = (key: string) => valueAt(content, [...path, key]) !== undefined;
  if (has('ttlSecurity') && has('multihop'))
    report(
      [...path, 'multihop'],
      'cannot be combined with "ttlSecurity", which sends with a TTL of 255; keep one of the two',
    );
  if (has('roleStrict') && !has('role'))
    report([...path, 'roleStrict'], 'has no effect without "role"; add "role" or remove this key');
  if (has('localAsMode') && !has('localAs'))
    report([...path, 'localAsMode'], 'has no effect without "localAs"; add "localAs" or remove this key');
  if (has('maximumPrefixesRestart') && valueAt(content, [...path, 'maximumPrefixesAction']) === 'drop')
    report(
      [...path, 'maximumPrefixesRestart'],
      'has no effect with "maximumPrefixesAction: drop"; remove one of the two',
    );
}

/** A prefix found earlier in the file, and its key. */
interface KnownPrefix {
  prefix: IPPrefix;
  key: string;
}

interface AddressRules extends PeerRules {
  path: KeyPath;
  addresses: ReadonlyMap<IPAddress['key'], string>;
}

function checkPeerAddress(address: IPAddress, rules: AddressRules, report: Report): void {
  const path = [...rules.path, 'address'];
  const twin = rules.addresses.get(address.key);
  if (twin !== undefined) report(path, `is also the address of ${twin}; remove one of the two`);
  if (rules.ownAddresses.some((own) => own.equals(address)))
    report(path, "is this machine's own address; remove it");
}

function checkPeerRange(
  prefix: IPPrefix,
  path: KeyPath,
  others: readonly KnownPrefix[],
  report: Report,
): void {
  const other = others.find((candidate) => candidate.prefix.overlaps(prefix));
  if (other === undefined) return;
  const reason = `overlaps ${other.prefix} of ${other.key}, so a peer could match both`;
  report([...path, 'range'], `${reason}; make them disjoint`);
}

const ipv4 = (first: number, second: number, length: number) =>
  IPPrefix.of(IPAddress.v4((first << 24) | (second << 16)), length);

const UNUSABLE: [IPPrefix, string][] = [
  [ipv4(0, 0, 8), '"this network" (RFC 1122)'],
  [LOOPBACK, 'loopback'],
  [ipv4(169, 254, 16), 'link-local, which contains the gateway address of all pods'],
  [ipv4(224, 0, 4), 'multicast'],
  [ipv4(240, 0, 4), 'reserved'],
];

/** The agent's allocator refuses larger ranges (agent/ipam/allocator.ts). */
const POD_PREFIX_LENGTH_MIN = 8;

/** Checks the prefixes from which pods get their addresses. */
export function checkPodPrefixes(content: unknown, ownAddress: IPAddress | undefined, report: Report): void {
  const seen: KnownPrefix[] = [];
  for (const index of listAt(content, ['podCIDRs']).keys()) {
    const path = ['podCIDRs', index];
    const prefix = prefixAt(content, path);
    if (prefix === undefined) continue;
    const other = seen.find((candidate) => candidate.prefix.overlaps(prefix));
    if (other !== undefined) {
      report(path, `overlaps ${other.prefix} of ${other.key}; make the prefixes disjoint`);
    }
    seen.push({ prefix, key: `podCIDRs[${index}]` });
    const unusable = UNUSABLE.find(([network]) => network.overlaps(prefix));
    if (unusable !== undefined) {
      report(
        path,
        `contains addresses of ${unusable[0]}, ${unusable[1]}; choose another prefix, for example of 10.0.0.0/8`,
      );
    }
    // The blackhole route of the prefix would collide with the route of its only pod.
    if (prefix.isHost) report(path, 'has only one address; use a length of 31 or less');
    if (unusable === undefined && prefix.length < POD_PREFIX_LENGTH_MIN)
      report(path, `is too large for one node; use a length of ${POD_PREFIX_LENGTH_MIN} or more`);
    if (unusable === undefined && ownAddress !== undefined && prefix.contains(ownAddress)) {
      report(path, `contains the node's own address ${ownAddress}; choose a prefix without node addresses`);
    }
  }
}
