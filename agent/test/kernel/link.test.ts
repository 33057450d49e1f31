import assert from 'node:assert/strict';
import { afterEach, beforeEach, describe, it } from 'mocha';
import { addAddress, listAddresses } from '../../kernel/address.ts';
import { TABLE } from '../../kernel/constants.ts';
import { createVeth, deleteLink, findLink, type Link, listLinks, setLink } from '../../kernel/link.ts';
import { deleteNeighbour, listNeighbours, setNeighbour } from '../../kernel/neighbour.ts';
import { NETLINK_PROTOCOL, Netlink } from '../../kernel/netlink.ts';
import { withNetns } from '../../kernel/netns.ts';
import { dumpRoutes } from '../../kernel/route-request.ts';
import { ip } from '../addresses.ts';
import { TestNamespace } from './namespaces.ts';

describe('netlink requests', () => {
  let namespace: TestNamespace;
  let other: TestNamespace;
  let netlink: Netlink;

  beforeEach(() => {
    namespace = new TestNamespace();
    other = new TestNamespace();
    netlink = namespace.open();
  });
  afterEach(() => {
    netlink.close();
    namespace.remove();
    other.remove();
  });

  /** A link as ip(8) shows it. */
  function shown(name: string, inside = namespace): Record<string, unknown> {
    return JSON.parse(inside.ip(`-json -details link show ${name}`))[0];
  }

  it('create a veth pair with names, MTU and MAC addresses, one end in another namespace', () => {
    const peer = { name: 'eth0', netns: other.path, mac: '02:00:00:00:00:02' };
    const link = createVeth(netlink, { name: 'fr0', mtu: 1400, mac: '02:00:00:00:00:01', peer });
    const expected: Partial<Link> = {
      name: 'fr0',
      mtu: 1400,
      mac: '02:00:00:00:00:01',
      kind: 'veth',
      up: false,
    };
    assert.deepEqual({ ...link, ...expected }, link);
    const { mtu, address, linkinfo } = shown('eth0', other);
    assert.deepEqual([mtu, address], [1400, '02:00:00:00:00:02']);
    assert.equal((linkinfo as { info_kind: string }).info_kind, 'veth');
    assert.equal(link.peerIndex, shown('eth0', other).ifindex);
    assert.throws(() => createVeth(netlink, { name: 'fr0', mtu: 1400, peer }), { code: 'EEXIST' });
  });

  it('change only the given fields of a link', () => {
    const { index, mac } = createVeth(netlink, {
      name: 'fr0',
      mtu: 1400,
      peer: { name: 'eth0', netns: other.path },
    });
    setLink(netlink, index, { mtu: 1300 });
    setLink(netlink, index, { up: true });
    setLink(netlink, index, { group: 0x66720179 });
    const changed = findLink(netlink, index);
    assert.ok(changed);
    assert.deepEqual(
      [changed.mtu, changed.up, changed.group, changed.mac, changed.name],
      [1300, true, 0x66720179, mac, 'fr0'],
    );
    setLink(netlink, index, { up: false, mac: '02:00:00:00:00:03', name: 'fr1' });
    assert.equal(findLink(netlink, 'fr0'), null);
    assert.deepEqual([shown('fr1').address, findLink(netlink, 'fr1')?.up], ['02:00:00:00:00:03', false]);
    assert.throws(() => setLink(netlink, 0, { up: true }), TypeError);
    deleteLink(netlink, index);
    assert.equal(findLink(netlink, index), null);
    assert.throws(() => deleteLink(netlink, index), { code: 'ENODEV' });
  });

  it('read every kind of link that this kernel can create', () => {
    const created = [
      'bridge',
      'vxlan id 5 dstport 4789',
      'veth peer name veth-peer',
      'ipip',
      'dummy',
      'wireguard',
    ];
    for (const [i, type] of created.entries()) {
      try {
        namespace.ip(`link add kind${i} type ${type}`);
      } catch {
        // The kernel lacks the module.
      }
    }
    const names = (JSON.parse(namespace.ip('-json link show')) as { ifname: string }[]).map(
      ({ ifname }) => ifname,
    );
    const links = listLinks(netlink);
    assert.deepEqual(links.map(({ name }) => name).sort(), names.sort());
    assert.equal(links.find(({ name }) => name === 'kind1')?.kind, 'vxlan');
    assert.equal(links.find(({ name }) => name === 'lo')?.kind, '');
    assert.deepEqual(
      listLinks(netlink, 'veth').map(({ name }) => name),
      ['veth-peer'],
    );
  });

  it('add addresses and neighbours of both families and read them back', () => {
    namespace.ip('link add lan type veth peer name lan-peer');
    namespace.ip('link set lan up');
    namespace.ip('addr add 10.0.0.9 peer 10.0.0.10/32 dev lan');
    const index = findLink(netlink, 'lan')?.index ?? 0;
    addAddress(netlink, { interface: index, address: ip('10.0.0.1'), prefixLength: 24 });
    addAddress(netlink, { interface: index, address: ip('2001:db8::1'), prefixLength: 64 });
    assert.throws(
      () => addAddress(netlink, { interface: index, address: ip('10.0.0.1'), prefixLength: 24 }),
      {
        code: 'EEXIST',
      },
    );
    const texts = listAddresses(netlink, index).map((entry) => `${entry.address}/${entry.prefixLength}`);
    assert.deepEqual(
      texts.filter((text) => !text.startsWith('fe80')),
      ['10.0.0.9/32', '10.0.0.1/24', '2001:db8::1/64'],
    );
    for (const [i, address] of [ip('10.0.0.2'), ip('2001:db8::2')].entries()) {
      const mac = `02:00:00:00:00:0${i}`;
      setNeighbour(netlink, { interface: index, address, mac });
      assert.match(namespace.ip(`neigh show ${address} dev lan`), new RegExp(`lladdr ${mac} PERMANENT`));
      const entry = listNeighbours(netlink, index).find((neighbour) => neighbour.address.equals(address));
      assert.deepEqual(entry, { interface: index, address, mac, permanent: true });
      assert.equal(deleteNeighbour(netlink, { interface: index, address }), true);
      assert.equal(deleteNeighbour(netlink, { interface: index, address }), false);
    }
  });

  it('report the reason of a failure', () => {
    const unknown = { interface: 999, address: ip('10.0.0.1'), prefixLength: 24 };
    assert.throws(
      () => addAddress(netlink, unknown),
      /^KernelError: cannot add address 10\.0\.0\.1\/24 .*ENODEV/,
    );
  });

  it('finish before their socket closes', async () => {
    const socket = namespace.open();
    const owner = { table: TABLE.MAIN, protocol: 2 };
    const listed = dumpRoutes(socket, owner, () => {});
    socket.close();
    assert.ok(socket.fd >= 0, 'the dump still needs the socket');
    await listed;
    assert.equal(socket.fd, -1);
    assert.throws(() => listLinks(socket), /is closed/);
  });

  it('work with other protocols of netlink', () => {
    const generic = withNetns(namespace.path, () => new Netlink({ protocol: NETLINK_PROTOCOL.GENERIC }));
    const GENL_ID_CTRL = 16;
    const CTRL_CMD_GETFAMILY = 3;
    const CTRL_ATTR_FAMILY_ID = 1;
    let answered = 0;
    generic.request(
      'look up the controller of generic netlink',
      GENL_ID_CTRL,
      0,
      4,
      (builder, fixed) => {
        builder.buffer[fixed] = CTRL_CMD_GETFAMILY;
        builder.buffer[fixed + 1] = 1;
        builder.bytes(CTRL_ATTR_FAMILY_ID, Buffer.from([GENL_ID_CTRL, 0]));
      },
      (type) => {
        answered = type;
      },
    );
    generic.close();
    assert.equal(answered, GENL_ID_CTRL);
  });
});
