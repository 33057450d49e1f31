import assert from 'node:assert/strict';
import type { Peer, PeerConfig, PeerOptions } from 'bgp-js';
import { peerConfig } from 'bgp-js-testing';
import { PeerTable, peerKey } from '../../session/peer-table.ts';
import { ip } from '../ip/values.ts';

const config = (fields: Partial<PeerOptions>): PeerConfig => peerConfig({ as: 64512, ...fields });

function tableOf(...configs: Partial<PeerOptions>[]): PeerTable {
  const table = new PeerTable();
  for (const fields of configs) table.add(config(fields), 0);
  return table;
}

function found(table: PeerTable, address: string): Peer {
  const peer = table.forAddress(ip(address), 0);
  assert.ok(typeof peer !== 'string', `${address}: ${peer}`);
  return peer;
}

describe('PeerTable', () => {
  it('finds an IPv6 peer by any form of its address', () => {
    const table = tableOf({ address: '2001:DB8:0::1', name: 'spine' });
    assert.equal(found(table, '2001:db8::1').name, 'spine');
    assert.throws(() => table.add(config({ address: '2001:db8::0:1' }), 0), /2001:db8::1 exists/);
    assert.equal(table.removeConfig('2001:db8::1').length, 1);
    assert.equal(table.size, 0);
  });

  it('distinguishes link-local peers by their interface', () => {
    const table = tableOf(
      { address: 'fe80::1', transport: { interface: 'eth0' }, name: 'left' },
      { address: 'fe80::1%eth1', name: 'right' },
    );
    assert.equal(found(table, 'fe80::1%eth0').name, 'left');
    assert.equal(found(table, 'fe80::1%eth1').name, 'right');
    assert.throws(() => table.add(config({ address: 'fe80::2' }), 0), /fe80::2 needs an interface/);
  });

  it('creates peers from IPv6 ranges, the longest one first', () => {
    const table = tableOf(
      { range: '2001:db8::/32', maximumPeers: 1 },
      { range: '2001:db8:1::/48', as: 64513 },
    );
    assert.equal(found(table, '2001:db8:1::5').config.as, 64513);
    assert.equal(found(table, '2001:db8:2::5').config.as, 64512);
    assert.match(String(table.forAddress(ip('2001:db8:2::6'), 0)), /maximum of 1 peers/);
    assert.match(String(table.forAddress(ip('10.0.0.1'), 0)), /no peer is configured/);
  });

  it('gives an unnumbered peer the address of its neighbour', () => {
    const table = tableOf({ transport: { interface: 'eth0' }, name: 'tor' });
    const [peer] = table;
    peer.retryAt = 0;
    assert.equal(peerKey(peer.config), 'eth0');
    assert.equal(peer.connectAt, Number.POSITIVE_INFINITY);
    assert.equal(table.neighbourFound('eth1', ip('fe80::1%eth1')), null);
    assert.equal(table.neighbourFound('eth0', ip('fe80::1%eth0')), peer);
    assert.equal(peer.connectAt, 0);
    assert.equal(found(table, 'fe80::1%eth0'), peer);
    assert.equal(found(table, 'fe80::2%eth0'), peer, 'another neighbour took the place of an idle one');
    assert.match(String(table.forAddress(ip('fe80::1%eth1'), 0)), /no peer is configured/);
    assert.deepEqual(table.removeConfig('eth0'), [peer]);
    assert.match(String(table.forAddress(ip('fe80::2%eth0'), 0)), /no peer is configured/);
  });

  it('refuses a configuration without a valid address, range or interface', () => {
    assert.throws(() => tableOf({ address: 'tor.example' }), /"tor.example" is not an IP address/);
    assert.throws(() => tableOf({ range: '::/129' }), /not a prefix/);
    assert.throws(() => tableOf({}), /no address, range or interface/);
  });
});
