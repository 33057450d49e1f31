import assert from 'node:assert/strict';
import type { CniRequest, Version } from '../../pods/request.ts';
import { addResult, expectedAddresses, expectedInterface } from '../../pods/result.ts';
import type { WiredLink } from '../../pods/wiring.ts';
import { ip } from '../addresses.ts';

const addresses = (...list: string[]) => list.map(ip);
const request = (version: Version, prevResult?: CniRequest['prevResult']): CniRequest => ({
  command: 'ADD',
  version,
  containerId: 'c1',
  ifname: 'eth0',
  netns: '/run/netns/p1',
  network: 'flatroute',
  config: {},
  prevResult,
});
const wired: WiredLink = {
  addresses: addresses('10.244.1.7', 'fd00:1::7'),
  host: { name: 'fr0', mac: '02:00:00:00:00:01' },
  pod: { name: 'eth0', mac: '02:00:00:00:00:02', netns: '/run/netns/p1' },
  mtu: 1400,
};
const json = (value: unknown) => JSON.parse(JSON.stringify(value));

describe('pods: result of ADD', () => {
  it('lists the addresses of both families with their gateways and default routes', () => {
    assert.deepEqual(json(addResult(request('1.1.0'), wired)), {
      cniVersion: '1.1.0',
      interfaces: [
        { name: 'fr0', mac: '02:00:00:00:00:01', mtu: 1400 },
        { name: 'eth0', mac: '02:00:00:00:00:02', sandbox: '/run/netns/p1', mtu: 1400 },
      ],
      ips: [
        { address: '10.244.1.7/32', gateway: '169.254.1.1', interface: 1 },
        { address: 'fd00:1::7/128', gateway: 'fe80::1', interface: 1 },
      ],
      routes: [
        { dst: '0.0.0.0/0', gw: '169.254.1.1' },
        { dst: '::/0', gw: 'fe80::1' },
      ],
      dns: {},
    });
  });

  it('names the IP version before 1.0.0', () => {
    const { ips } = json(addResult(request('0.4.0'), wired));
    assert.deepEqual(
      ips.map(({ version }: { version: string }) => version),
      ['4', '6'],
    );
  });

  it('reads the expected addresses of CHECK by value, whatever their text', () => {
    const prevResult = {
      ips: [{ address: '10.244.1.7/32' }, { address: 'fd00:1:0:0::7/128' }, { address: 'nonsense' }, {}],
    };
    assert.deepEqual(expectedAddresses(request('1.0.0', prevResult)), wired.addresses);
    assert.deepEqual(expectedAddresses(request('1.0.0')), []);
  });

  it('reads MAC and MTU of the interface in the namespace of the pod', () => {
    const entry = { name: 'eth0', sandbox: '/run/netns/p1', mac: '02:AA:00:00:00:02', mtu: 1400 };
    const other = { name: 'eth0', sandbox: '/run/netns/p2', mac: '02:00:00:00:00:09' };
    const result = (...interfaces: object[]) => expectedInterface(request('1.1.0', { interfaces }));
    assert.deepEqual(result(other, entry), { mac: '02:aa:00:00:00:02', mtu: 1400 });
    assert.deepEqual(result({ ...entry, mac: '', mtu: 0 }), {});
    assert.equal(result(other), undefined);
  });
});
