/** The keys of reflector.yaml, the rules between them, and the settings made from them. */
import { existsSync } from 'node:fs';
import { hostname } from 'node:os';
import type { ConfigFormat, Report } from '@flatroute/common/config/config.ts';
import { listAt, valueAt } from '@flatroute/common/config/content.ts';
import { checkListen, endpoints, endpointsAt } from '@flatroute/common/config/listen.ts';
import { configuredPeer, peerKeys } from '@flatroute/common/config/peers.ts';
import { checkPolicies, policyKeys, policySet } from '@flatroute/common/config/policy.ts';
import { checkHttp, checkPeers, httpSection, logSection } from '@flatroute/common/config/sections.ts';
import * as value from '@flatroute/common/config/values.ts';
import { IPAddress } from 'bgp-js/ip';
import * as z from 'zod';
import type { ClientSettings, ReflectorSettings } from './settings.ts';

/** Missing when the kernel runs without IPv6 (`ipv6.disable=1`). */
const IPV6_ADDRESSES = '/proc/self/net/if_inet6';

const client = value.section({
  ...peerKeys,
  client: z.optional(value.flag),
  maximumPeers: value.integer(1, 100_000).default(5000),
});

const schema = value.section({
  node: z.optional(value.text(64)),
  as: value.asNumber,
  routerId: value.identifier,
  clusterId: z.optional(value.identifier),
  clientToClient: value.flag.default(true),
  listen: z.optional(endpoints),
  clients: value.list(client),
  ...policyKeys,
  bgp: value.optionalSection({
    holdTime: value.holdTime.default(90),
    connectRetry: value.duration(1, 3600).default(5),
    maximumPrefixes: value.integer(1, 100_000_000).default(2_000_000),
    requirePolicy: value.flag.default(true),
    // The kernel's names have at most 15 letters (TCP_CA_NAME_MAX).
    congestionControl: value.text(15).default('system'),
    // RFC 9003 §2: at most 255 octets of UTF-8.
    shutdownMessage: value.text(255).default('flatroute reflector stopped'),
  }),
  socket: value.socketPath.default('/run/flatroute/reflector.sock'),
  http: httpSection,
  log: logSection,
});

/** All addresses of the machine, port 179; an IPv6 endpoint only if the kernel has IPv6. */
function defaultEndpoints(): value.Endpoint[] {
  const wildcards = [IPAddress.v4(0), ...(existsSync(IPV6_ADDRESSES) ? [IPAddress.v6(0, 0, 0, 0)] : [])];
  return wildcards.map((address) => ({ address, port: 179 }));
}

type ReflectorConfig = z.output<typeof schema>;

function check(content: unknown, report: Report): void {
  const clients = valueAt(content, ['clients']);
  if (clients === undefined || clients === null || listAt(content, ['clients']).length === 0) {
    report(['clients'], 'has no entries; add at least one "{ range: …, as: … }" or "{ address: …, as: … }"');
  }
  const as = valueAt(content, ['as']);
  for (const index of listAt(content, ['clients']).keys()) {
    const path = ['clients', index];
    const clientAs = valueAt(content, [...path, 'as']);
    const isOther = typeof clientAs === 'number' && typeof as === 'number' && clientAs !== as;
    // RFC 4456 §4: reflection happens among iBGP peers.
    if (isOther && valueAt(content, [...path, 'client']) === true) {
      report(
        [...path, 'client'],
        `is not possible for a peer in AS ${clientAs}: clients are in AS ${as}; remove it`,
      );
    }
  }
  const ownAddresses = endpointsAt(content, ['listen']).map(({ endpoint }) => endpoint.address);
  checkPeers(content, { list: 'clients', ownAddresses }, report);
  checkListen(content, { path: ['listen'], byDefault: defaultEndpoints(), list: 'clients' }, report);
  checkPolicies(content, 'clients', report);
  checkHttp(content, report);
}

function clientSettings(client: ReflectorConfig['clients'][number], config: ReflectorConfig): ClientSettings {
  return {
    ...configuredPeer(client, config.bgp),
    client: client.client ?? client.as === config.as,
    clientToClient: config.clientToClient,
    requirePolicy: config.bgp.requirePolicy,
  };
}

function settings(config: ReflectorConfig): ReflectorSettings {
  return {
    node: config.node ?? hostname(),
    as: config.as,
    routerId: config.routerId,
    clusterId: config.clusterId ?? config.routerId,
    listen: config.listen ?? defaultEndpoints(),
    clients: config.clients.map((client) => clientSettings(client, config)),
    policies: policySet(config),
    bgp: {
      shutdownMessage: config.bgp.shutdownMessage,
      congestionControl: config.bgp.congestionControl === 'system' ? null : config.bgp.congestionControl,
    },
    socket: config.socket,
    http: config.http.listen,
    log: config.log,
  };
}

/** The format of reflector.yaml. */
export const reflectorFormat: ConfigFormat<ReflectorConfig, ReflectorSettings> = { schema, check, settings };
