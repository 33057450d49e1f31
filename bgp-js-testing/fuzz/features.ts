/** What a fuzzed session negotiates beyond IPv4 unicast. */

import type { PolicySet } from 'bgp-js/rib/policy/policy-data.ts';
import type { PeerOptions } from 'bgp-js/session/peer-config.ts';
import {
  addPathValue,
  CapabilityCode,
  extendedNextHopValue,
  longLivedValue,
  multiprotocolValue,
  type RawCapability,
  restartValue,
} from 'bgp-js/wire/capability.ts';
import { FAMILIES, IPV4_UNICAST, IPV6_UNICAST } from 'bgp-js/wire/families.ts';

/** `comes-back`: its connection breaks half-way, and it connects again. */
export const FEATURES = [
  'add-path',
  'long-messages',
  'extended-next-hop',
  'enhanced-refresh',
  'restart',
  'ipv6',
  'policy',
  'comes-back',
] as const;

type Feature = (typeof FEATURES)[number];
export type Features = ReadonlySet<Feature>;

const NOTHING = new Uint8Array(0);

/** The capabilities that a peer sends for these features. */
export function capabilitiesFor(features: Features): RawCapability[] {
  const families = features.has('ipv6') ? FAMILIES : [IPV4_UNICAST];
  const list: RawCapability[] = families.map((family) => ({
    code: CapabilityCode.multiprotocol,
    value: multiprotocolValue(family),
  }));
  const add = (feature: Feature, code: number, value: Uint8Array) => {
    if (features.has(feature)) list.push({ code, value });
  };
  add('long-messages', CapabilityCode.extendedMessage, NOTHING);
  add('extended-next-hop', CapabilityCode.extendedNextHop, extendedNextHopValue());
  add('enhanced-refresh', CapabilityCode.routeRefresh, NOTHING);
  add('enhanced-refresh', CapabilityCode.enhancedRefresh, NOTHING);
  const paths = families.map((family) => ({ family, receive: true, send: true }));
  add('add-path', CapabilityCode.addPath, addPathValue(paths));
  const kept = families.map((family) => ({ family, forwarding: true }));
  const restart = { restarting: false, notification: false, seconds: 120, families: kept };
  add('restart', CapabilityCode.gracefulRestart, restartValue(restart));
  add(
    'restart',
    CapabilityCode.longLivedRestart,
    longLivedValue(kept.map((one) => ({ ...one, seconds: 300 }))),
  );
  return list;
}

/** The speaker's configuration of the peer for these features. */
export function configFor(features: Features): Partial<PeerOptions> {
  return {
    families: features.has('ipv6') ? [IPV4_UNICAST.name, IPV6_UNICAST.name] : [IPV4_UNICAST.name],
    extendedMessages: features.has('long-messages'),
    extendedNextHop: features.has('extended-next-hop'),
    ...(features.has('add-path') && { addPath: { receive: true, send: 2 } }),
    ...(features.has('restart') && { restartTime: 120, longLivedStaleTime: 300 }),
    ...(features.has('policy') && { importPolicy: 'in', exportPolicy: 'out' }),
  };
}

/** Policies that match much of what the generator makes. */
export const FUZZ_POLICIES: PolicySet = {
  policies: {
    in: {
      rules: [
        { name: 'small', match: { prefixes: ['0.0.0.0/0 ge 31', '::/0 ge 65'] }, action: 'reject' },
        {
          name: 'mark',
          match: { asPaths: ['65002'] },
          set: { communities: { add: ['64512:1:2', '64512:7'] } },
          action: 'next',
        },
        {
          name: 'known',
          match: { communities: { any: ['65000:*', 'no-export'] } },
          set: { communities: { replace: ['64512:9'] }, localPref: 7 },
          action: 'next',
        },
        {
          name: 'far',
          match: { origins: ['EGP'] },
          set: { prepend: { times: 3 }, medAdd: 5 },
          action: 'accept',
        },
      ],
      otherwise: 'accept',
    },
    out: {
      rules: [
        { name: 'few', match: { prefixes: ['172.0.0.0/8 le 32'] }, action: 'reject' },
        {
          name: 'med',
          set: { med: 9, nextHop: 'unchanged', communities: { remove: ['64512:*'] } },
          action: 'accept',
        },
      ],
      otherwise: 'reject',
    },
  },
};
