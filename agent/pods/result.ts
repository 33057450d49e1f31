/** The result of ADD, in the shape of the version that was asked for (CNI spec section 5, "ADD Success"). */

import type { Expected } from './inspect.ts';
import { POD_GATEWAY } from './pod-interface.ts';
import { type CniRequest, isObject, type JsonObject, type Version } from './request.ts';

/** What was wired. */
export interface Wired {
  address: string;
  host: { name: string; mac: string };
  pod: { name: string; mac: string; netns: string };
  mtu: number;
}

function list(result: JsonObject | undefined, key: string): JsonObject[] {
  return (result?.[key] as JsonObject[] | undefined) ?? [];
}

function interfaceEntry(version: Version, entry: JsonObject, mtu: number): JsonObject {
  // `mtu` came with 1.1.0.
  return version === '1.1.0' ? { ...entry, mtu } : entry;
}

/** The result for `request`; what earlier plugins of the chain did (prevResult) is passed on in front. */
export function addResult({ version, config, prevResult }: CniRequest, wired: Wired): JsonObject {
  const { host, pod, mtu } = wired;
  const before = list(prevResult, 'interfaces');
  const ip: JsonObject = {
    address: `${wired.address}/32`,
    gateway: POD_GATEWAY,
    interface: before.length + 1,
  };
  // ips[].version was dropped with 1.0.0 and is mandatory before it.
  if (version === '0.3.1' || version === '0.4.0') ip.version = '4';
  return {
    ...prevResult,
    cniVersion: version,
    interfaces: [
      ...before,
      interfaceEntry(version, { name: host.name, mac: host.mac }, mtu),
      interfaceEntry(version, { name: pod.name, mac: pod.mac, sandbox: pod.netns }, mtu),
    ],
    ips: [...list(prevResult, 'ips'), ip],
    routes: [...list(prevResult, 'routes'), { dst: '0.0.0.0/0', gw: POD_GATEWAY }],
    dns: isObject(config.dns) ? config.dns : (prevResult?.dns ?? {}),
  };
}

/** What prevResult, as the runtime hands it to CHECK, says of the pod's interface; undefined: it does not list it. */
export function expectedInterface({ ifname, netns, prevResult }: CniRequest): Expected | undefined {
  const entry = list(prevResult, 'interfaces').find(
    ({ name, sandbox }) => name === ifname && sandbox === netns,
  );
  if (entry === undefined) return undefined;
  const { mac, mtu } = entry;
  return {
    ...(typeof mac === 'string' && mac !== '' && { mac: mac.toLowerCase() }),
    ...(typeof mtu === 'number' && mtu > 0 && { mtu }),
  };
}

/** The addresses in prevResult, without their lengths. */
export function expectedAddresses({ prevResult }: CniRequest): string[] {
  return list(prevResult, 'ips').map(({ address }) => String(address).split('/')[0]);
}
