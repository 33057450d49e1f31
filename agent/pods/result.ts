/** The result of ADD in the shape of the requested version (CNI spec section 5, "ADD Success"). */
import { type IPAddress, IPPrefix, parseAddress } from 'bgp-js/ip';
import type { Expected } from './inspect.ts';
import { POD_GATEWAYS } from './pod-interface.ts';
import { type CniRequest, isObject, type JsonObject, type Version } from './request.ts';
import type { WiredLink } from './wiring.ts';

function list(result: JsonObject | undefined, key: string): JsonObject[] {
  return (result?.[key] as JsonObject[] | undefined) ?? [];
}

function interfaceEntry(version: Version, entry: JsonObject, mtu: number): JsonObject {
  // `mtu` came with 1.1.0.
  return version === '1.1.0' ? { ...entry, mtu } : entry;
}

/** The result for `request`, behind the results of earlier plugins of the chain (prevResult). */
export function addResult({ version, config, prevResult }: CniRequest, wired: WiredLink): JsonObject {
  const { host, pod, mtu } = wired;
  const before = list(prevResult, 'interfaces');
  const gateway = (address: IPAddress) => POD_GATEWAYS[address.version];
  const ips = wired.addresses.map((address) => ({
    address: IPPrefix.host(address),
    gateway: gateway(address),
    interface: before.length + 1,
    // Mandatory before 1.0.0, which removed it.
    ...((version === '0.3.1' || version === '0.4.0') && { version: String(address.version) }),
  }));
  const routes = wired.addresses.map((address) => ({
    dst: IPPrefix.of(address, 0),
    gw: gateway(address),
  }));
  return {
    ...prevResult,
    cniVersion: version,
    interfaces: [
      ...before,
      interfaceEntry(version, { name: host.name, mac: host.mac }, mtu),
      interfaceEntry(version, { name: pod.name, mac: pod.mac, sandbox: pod.netns }, mtu),
    ],
    ips: [...list(prevResult, 'ips'), ...ips],
    routes: [...list(prevResult, 'routes'), ...routes],
    dns: isObject(config.dns) ? config.dns : (prevResult?.dns ?? {}),
  };
}

/** What prevResult of a CHECK says about the pod's interface; undefined if it does not list the interface. */
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

/** The addresses in prevResult, without their prefix lengths. */
export function expectedAddresses({ prevResult }: CniRequest): IPAddress[] {
  return list(prevResult, 'ips')
    .map(({ address }) => parseAddress(String(address).split('/')[0]))
    .filter((address) => address !== null);
}
