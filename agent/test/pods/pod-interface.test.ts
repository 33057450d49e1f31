import assert from 'node:assert/strict';
import type { IPAddress } from 'bgp-js/ip';
import { after, before, describe, it } from 'mocha';
import { addAddress, addressOwner, listAddresses } from '../../kernel/address.ts';
import { KernelError } from '../../kernel/error.ts';
import { createVeth, deleteLinkGroup, findLink, listLinks, setLink } from '../../kernel/link.ts';
import { deleteNeighbour, listNeighbours, setNeighbour } from '../../kernel/neighbour.ts';
import type { Netlink } from '../../kernel/netlink.ts';
import { withNetns } from '../../kernel/netns.ts';
import { addRoute } from '../../kernel/route-request.ts';
import {
  effectiveReversePathFilter,
  enableForwarding,
  getReversePathFilter,
  isForwarding,
  readSysctl,
  setReversePathFilter,
} from '../../kernel/sysctl.ts';
import { GRAVEYARD_GROUP } from '../../pods/graveyard.ts';
import { configurePodInterface, POD_GATEWAYS, readPodInterface } from '../../pods/pod-interface.ts';
import { ip, net } from '../addresses.ts';
import { run, TestNamespace } from '../kernel/namespaces.ts';
import { eventually } from './node.ts';

const isIPv4 = ({ address }: { address: IPAddress }): boolean => address.version === 4;

const GATEWAY = POD_GATEWAYS[4];

describe('a pod interface', () => {
  let host: TestNamespace;
  let pod: TestNamespace;
  let netlink: Netlink;

  before(() => {
    host = new TestNamespace();
    pod = new TestNamespace();
    netlink = host.open();
  });
  after(() => {
    netlink?.close();
    host?.remove();
    pod?.remove();
  });

  /** The wiring of one pod, as the CNI server does it. */
  function wire(name: string, ifname: string, address: string) {
    const link = createVeth(netlink, { name, mtu: 1400, peer: { name: ifname, netns: pod.path } });
    setLink(netlink, link.index, { up: true });
    const peer = configurePodInterface(pod.path, {
      ifname,
      addresses: [ip(address)],
      gatewayMac: link.mac,
    });
    setNeighbour(netlink, { interface: link.index, address: ip(address), mac: peer.mac });
    const owner = { table: 254, protocol: 179 };
    addRoute(netlink, owner, {
      prefix: net(`${address}/32`),
      type: 'unicast',
      nextHops: [{ interface: link.index }],
      metric: 0,
    });
    return { link, peer };
  }

  it('delivers packets without ARP', async () => {
    host.ip('link add lan type veth peer name lan-peer');
    host.ip('addr add 10.9.0.1/24 dev lan');
    host.ip('link set lan up');
    const { link, peer } = wire('frwire', 'eth0', '10.244.1.5');
    assert.equal(link.kind, 'veth');
    assert.equal(link.mtu, 1400);
    assert.equal(link.peerIndex, peer.index);
    const isRunning = () =>
      findLink(netlink, 'frwire')?.running === true &&
      readPodInterface(pod.path, 'eth0')?.link.running === true;
    await eventually('both ends have a carrier', isRunning);
    run('ip', 'netns', 'exec', pod.name, 'ping', '-c', '1', '-W', '2', '10.9.0.1');
    assert.match(host.ip('neigh show dev frwire'), /^10\.244\.1\.5 lladdr \S+ PERMANENT/);
    assert.doesNotMatch(host.ip('neigh show dev frwire'), /REACHABLE|STALE|INCOMPLETE/);
  });

  it('reads back what was configured', () => {
    const state = readPodInterface(pod.path, 'eth0');
    assert.ok(state);
    assert.ok(state.link.up && state.link.running);
    assert.deepEqual(
      state.addresses.filter(isIPv4).map(({ address, prefixLength }) => `${address}/${prefixLength}`),
      ['10.244.1.5/32'],
    );
    const index = state.link.index;
    assert.deepEqual(
      state.routes.map(({ prefix, nextHops }) => ({ prefix: `${prefix}`, nextHops })),
      [
        { prefix: '0.0.0.0/0', nextHops: [{ gateway: GATEWAY, interface: index }] },
        { prefix: `${GATEWAY}/32`, nextHops: [{ interface: index }] },
      ],
    );
    const mac = findLink(netlink, 'frwire')?.mac;
    assert.deepEqual(state.neighbours.filter(isIPv4), [
      { interface: index, address: GATEWAY, mac, permanent: true },
    ]);
    assert.equal(readPodInterface(pod.path, 'eth9'), null);
  });

  it('names the operation that failed and the reason', () => {
    const again = () =>
      createVeth(netlink, { name: 'frwire', mtu: 1400, peer: { name: 'eth5', netns: pod.path } });
    assert.throws(again, (error) => {
      assert.ok(error instanceof KernelError);
      assert.equal(error.code, 'EEXIST');
      assert.match(error.message, /^cannot create interface frwire with peer eth5 in /);
      return true;
    });
    const gone = () => readPodInterface(`${pod.path}-gone`, 'eth0');
    assert.throws(gone, { name: 'KernelError', code: 'ENOENT' });
    assert.throws(() => setLink(netlink, 99999, { up: true }), { name: 'KernelError', code: 'ENODEV' });
    assert.throws(() => setLink(netlink, 0, { up: true }), /not an interface index/);
    assert.throws(() => findLink(netlink, 'a-name-that-is-too-long'), /not an interface name/);
  });

  it('uses the given MAC addresses', () => {
    const link = createVeth(netlink, {
      name: 'frmac',
      mtu: 1500,
      mac: '02:00:00:00:00:01',
      peer: { name: 'eth7', netns: pod.path, mac: '02:00:00:00:00:02' },
    });
    assert.equal(link.mac, '02:00:00:00:00:01');
    assert.equal(readPodInterface(pod.path, 'eth7')?.link.mac, '02:00:00:00:00:02');
    assert.equal(link.up, false);
  });

  it('is deleted with its group, off the event loop', async () => {
    const names = ['frdead1', 'frdead2', 'frdead3'];
    names.forEach((name, i) => {
      const link = createVeth(netlink, { name, mtu: 1400, peer: { name: `eth1${i}`, netns: pod.path } });
      setLink(netlink, link.index, { up: true });
      setLink(netlink, link.index, { up: false, group: GRAVEYARD_GROUP });
    });
    const buried = listLinks(netlink, 'frdead');
    assert.deepEqual(
      buried.map(({ group, up }) => ({ group, up })),
      Array(3).fill({ group: GRAVEYARD_GROUP, up: false }),
    );
    const reaper = host.open();
    try {
      const reaping = deleteLinkGroup(reaper, GRAVEYARD_GROUP);
      assert.throws(() => findLink(reaper, 'lo'), /busy with a batch/);
      assert.equal(await reaping, true);
      assert.equal(await deleteLinkGroup(reaper, GRAVEYARD_GROUP), false);
    } finally {
      reaper.close();
    }
    assert.deepEqual(listLinks(netlink, 'frdead'), []);
    assert.equal(readPodInterface(pod.path, 'eth10'), null);
    assert.ok(findLink(netlink, 'frwire'), 'other links stay');
  });

  it('finds the interface of an address', () => {
    assert.equal(addressOwner(netlink, ip('10.9.0.1'))?.name, 'lan');
    assert.equal(addressOwner(netlink, ip('10.9.0.2')), null);
    const lan = findLink(netlink, 'lan')?.index ?? 0;
    assert.throws(() => addAddress(netlink, { interface: lan, address: ip('10.9.0.1'), prefixLength: 24 }), {
      code: 'EEXIST',
    });
    assert.equal(listAddresses(netlink, lan).filter(isIPv4).length, 1);
  });

  it('deletes neighbour entries, and reports if there was none', () => {
    const index = findLink(netlink, 'frwire')?.index ?? 0;
    setNeighbour(netlink, { interface: index, address: ip('10.244.1.99'), mac: '02:00:00:00:00:09' });
    setNeighbour(netlink, { interface: index, address: ip('10.244.1.99'), mac: '02:00:00:00:00:0a' });
    const entries = listNeighbours(netlink, index).filter(({ address }) => `${address}` === '10.244.1.99');
    assert.deepEqual(
      entries.map(({ mac }) => mac),
      ['02:00:00:00:00:0a'],
    );
    assert.equal(deleteNeighbour(netlink, { interface: index, address: ip('10.244.1.99') }), true);
    assert.equal(deleteNeighbour(netlink, { interface: index, address: ip('10.244.1.99') }), false);
  });

  it('has its sysctls in its own namespace', () => {
    const before = readSysctl('ipv4/ip_forward');
    withNetns(host.path, () => {
      setReversePathFilter('all', 'off');
      setReversePathFilter('frwire', 'strict');
      assert.equal(getReversePathFilter('frwire'), 'strict');
      assert.equal(effectiveReversePathFilter('frwire'), 'strict');
      setReversePathFilter('all', 'loose');
      assert.equal(effectiveReversePathFilter('frwire'), 'loose');
      enableForwarding();
      assert.equal(isForwarding(), true);
      assert.equal(enableForwarding(), false);
      assert.throws(() => readSysctl('ipv4/no_such_thing'), { name: 'KernelError', code: 'ENOENT' });
      assert.throws(() => setReversePathFilter('../all', 'off'), /not an interface name/);
    });
    assert.equal(readSysctl('ipv4/ip_forward'), before);
  });
});
