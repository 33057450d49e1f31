/** The keys of agent.yaml, the rules between them, and their conversion to settings; see docs/configuration.md. */
import { hostname } from 'node:os';
import type { ConfigFormat, Report } from '@flatroute/common/config/config.ts';
import { addressAt, textAt, valueAt } from '@flatroute/common/config/content.ts';
import { checkListen, endpointsOrOff } from '@flatroute/common/config/listen.ts';
import { configuredPeer, peerKeys } from '@flatroute/common/config/peers.ts';
import { checkPolicies, policyKeys, policySet } from '@flatroute/common/config/policy.ts';
import {
  checkHttp,
  checkPeers,
  checkPodPrefixes,
  httpSection,
  logSection,
} from '@flatroute/common/config/sections.ts';
import * as value from '@flatroute/common/config/values.ts';
import * as z from 'zod';
import type { AgentSettings, PeerSettings } from './settings.ts';

const encapsulationMode = value.scalar((mode, fail): 'none' => {
  if (mode === 'none') return mode;
  if (mode === 'ipip' || mode === 'vxlan') {
    return fail('is not supported yet; use "none"');
  }
  return fail('is not a valid value; use none');
});

/** 0 is "unspecified" and 255 the kernel's own table of local addresses. */
const routingTable = value.scalar((table, fail) => {
  if (table === 0 || table === 255)
    return fail('is reserved by the kernel; use another number, 254 for the main table');
  const usable = typeof table === 'number' && Number.isInteger(table) && table > 0 && table <= 4294967295;
  return usable
    ? table
    : fail('is not a routing table; use a number of 1–4294967295, 254 for the main table');
});

const peer = value.section({
  ...peerKeys,
  acceptDefault: value.flag.default(false),
  maximumPeers: value.integer(1, 100_000).default(256),
});

const schema = value.section({
  node: z.optional(value.text(64)),
  address: value.reachableAddress,
  as: value.asNumber,
  routerId: z.optional(value.identifier),
  podCIDRs: value.list(value.ipv4Prefix),
  peers: value.list(peer),
  ...policyKeys,
  bgp: value.optionalSection({
    listen: z.optional(endpointsOrOff),
    holdTime: value.holdTime.default(90),
    connectRetry: value.duration(1, 3600).default(5),
    maximumPrefixes: value.integer(1, 100_000_000).default(300_000),
    maximumPaths: value.integer(1, 128).default(16),
    // RFC 9003 §2: at most 255 octets of UTF-8.
    shutdownMessage: value.text(255).default('flatroute agent stopped'),
  }),
  encapsulation: value.optionalSection({
    mode: encapsulationMode.default('none'),
    scope: value.oneOf('always', 'crossSubnet').default('always'),
  }),
  pods: value.optionalSection({
    mtu: z.optional(value.integer(576, 65535)),
    quarantine: value.duration(0, 86400).default(60),
  }),
  kernel: value.optionalSection({
    table: routingTable.default(254),
    reconcile: value.duration(1, 86400).default(30),
    staleTime: value.duration(0, 86400).default(120),
  }),
  stateDir: value.path.default('/var/lib/flatroute'),
  socket: value.socketPath.default('/run/flatroute/agent.sock'),
  cni: value.optionalSection({
    socket: value.socketPath.default('/run/flatroute/cni.sock'),
  }),
  http: httpSection,
  log: logSection,
});

type AgentConfig = z.output<typeof schema>;

function check(content: unknown, report: Report): void {
  const ownAddress = addressAt(content, ['address']);
  checkPodPrefixes(content, ownAddress, report);
  checkPeers(content, { list: 'peers', ownAddresses: ownAddress === undefined ? [] : [ownAddress] }, report);
  const reachable = value.reachableAddress.safeParse(valueAt(content, ['address']));
  const byDefault = reachable.success ? [{ address: reachable.data, port: 179 }] : undefined;
  checkListen(content, { path: ['bgp', 'listen'], byDefault, list: 'peers' }, report);
  checkPolicies(content, 'peers', report);
  checkHttp(content, report);
  const socket = textAt(content, ['socket']) ?? '/run/flatroute/agent.sock';
  const cniSocket = textAt(content, ['cni', 'socket']) ?? '/run/flatroute/cni.sock';
  if (socket === cniSocket) {
    const key = textAt(content, ['cni', 'socket']) === undefined ? ['socket'] : ['cni', 'socket'];
    report(key, 'is the path of both "socket" and "cni.socket"; use two different paths');
  }
}

function peerSettings(peer: AgentConfig['peers'][number], config: AgentConfig): PeerSettings {
  return {
    ...configuredPeer(peer, config.bgp),
    acceptDefault: peer.acceptDefault,
    ...exportSettings(peer.export, peer.as === config.as),
  };
}

/** By default a node advertises only its own routes to another AS: it provides no transit for the fabric. */
function exportSettings(
  name: string | undefined,
  internal: boolean,
): Pick<PeerSettings, 'export' | 'exportPolicy'> {
  if (name === 'own' || name === 'all') return { export: name, exportPolicy: null };
  if (name !== undefined) return { export: 'all', exportPolicy: name };
  return { export: internal ? 'all' : 'own', exportPolicy: null };
}

function settings(config: AgentConfig): AgentSettings {
  const { bgp, pods, kernel } = config;
  const listen = bgp.listen ?? [{ address: config.address, port: 179 }];
  return {
    node: config.node ?? hostname(),
    address: config.address,
    as: config.as,
    routerId: config.routerId ?? config.address,
    podCIDRs: config.podCIDRs,
    peers: config.peers.map((peer) => peerSettings(peer, config)),
    policies: policySet(config),
    bgp: { listen, maximumPaths: bgp.maximumPaths, shutdownMessage: bgp.shutdownMessage },
    encapsulation: config.encapsulation,
    pods: { mtu: pods.mtu ?? null, quarantineSeconds: pods.quarantine },
    kernel: { table: kernel.table, reconcileSeconds: kernel.reconcile, staleSeconds: kernel.staleTime },
    stateDir: config.stateDir,
    socket: config.socket,
    cniSocket: config.cni.socket,
    http: config.http.listen,
    log: config.log,
  };
}

/** The format of agent.yaml. */
export const agentFormat: ConfigFormat<AgentConfig, AgentSettings> = { schema, check, settings };
