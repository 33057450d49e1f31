/** Which addresses are peers, and when a peer is connected to again. */

import assert from 'node:assert/strict';
import { peerConfig, seededRandom } from 'bgp-js-testing/index.ts';
import { Backoff, Peer } from '../../session/peer.ts';
import type { PeerOptions } from '../../session/peer-config.ts';
import { PeerTable } from '../../session/peer-table.ts';
import { ip } from '../ip/values.ts';

const AS = { as: 65001 };

function peerOf(result: Peer | string): Peer {
  assert.ok(result instanceof Peer, String(result));
  return result;
}

describe('PeerTable', () => {
  it('knows a peer by its address', () => {
    const table = new PeerTable();
    const peer = table.add(peerConfig({ ...AS, address: '10.0.0.2' }), 0);
    assert.equal(table.forAddress(ip('10.0.0.2'), 0), peer);
    assert.equal(peer?.isDynamic, false);
    assert.match(String(table.forAddress(ip('10.0.0.3'), 0)), /no peer is configured/);
  });

  const BAD: [string, Partial<PeerOptions>][] = [
    ['no address', {}],
    ['a malformed address', { address: '10.0.0' }],
    ['a link-local address without interface', { address: 'fe80::1' }],
    ['a malformed range', { range: '10.0.0.0/33' }],
  ];
  for (const [title, fields] of BAD) {
    it(`refuses ${title}`, () => {
      assert.throws(() => new PeerTable().add(peerConfig({ ...AS, ...fields }), 0), RangeError);
    });
  }

  it('refuses a second configuration with the same address or range, and keeps the first', () => {
    const table = new PeerTable();
    for (const fields of [{ address: '10.0.0.2' }, { range: '10.1.0.0/16' }]) {
      table.add(peerConfig({ ...AS, ...fields }), 0);
      assert.throws(() => table.add(peerConfig({ as: 1, ...fields }), 0), RangeError);
      assert.equal(table.config(fields.address ?? fields.range ?? '')?.as, 65001);
    }
  });

  it('creates a peer for an address in a range, until it is removed', () => {
    const table = new PeerTable();
    assert.equal(table.add(peerConfig({ ...AS, range: '10.0.0.0/24', name: 'rack' }), 0), null);
    assert.equal(table.size, 0);
    const peer = peerOf(table.forAddress(ip('10.0.0.7'), 5));
    assert.deepEqual(
      [peer.isDynamic, peer.name, peer.config.name, peer.since],
      [true, '10.0.0.7', 'rack', 5],
    );
    assert.equal(table.forAddress(ip('10.0.0.7'), 6), peer);
    table.removePeer(peer);
    assert.equal(table.size, 0);
    assert.notEqual(table.forAddress(ip('10.0.0.7'), 7), peer);
  });

  it('uses the range with the longest prefix, in any order of configuration', () => {
    const ranges = ['10.0.0.0/8', '10.1.2.0/24', '0.0.0.0/0', '10.1.0.0/16'];
    for (const order of [ranges, [...ranges].reverse()]) {
      const table = new PeerTable();
      for (const range of order) table.add(peerConfig({ ...AS, range }), 0);
      const rangeOf = (address: string) => peerOf(table.forAddress(ip(address), 0)).config.range?.toString();
      assert.deepEqual(['10.1.2.3', '10.1.3.3', '10.9.9.9', '192.0.2.1'].map(rangeOf), [
        '10.1.2.0/24',
        '10.1.0.0/16',
        '10.0.0.0/8',
        '0.0.0.0/0',
      ]);
    }
  });

  it('prefers the configuration of an address to all ranges', () => {
    const table = new PeerTable();
    table.add(peerConfig({ ...AS, range: '10.0.0.0/8' }), 0);
    const peer = table.add(peerConfig({ ...AS, address: '10.0.0.2' }), 0);
    assert.equal(table.forAddress(ip('10.0.0.2'), 0), peer);
  });

  it('finds no IPv6 address in an IPv4 range, not even in 0.0.0.0/0', () => {
    const table = new PeerTable();
    table.add(peerConfig({ ...AS, range: '0.0.0.0/0' }), 0);
    for (const address of ['2001:db8::1', '::']) {
      assert.equal(typeof table.forAddress(ip(address), 0), 'string', address);
    }
  });

  it('allows maximumPeers for each range at a time', () => {
    const table = new PeerTable();
    table.add(peerConfig({ ...AS, range: '10.0.0.0/24', name: 'rack', maximumPeers: 2 }), 0);
    table.add(peerConfig({ ...AS, range: '10.0.1.0/24', maximumPeers: 1 }), 0);
    const first = peerOf(table.forAddress(ip('10.0.0.1'), 0));
    peerOf(table.forAddress(ip('10.0.0.2'), 0));
    assert.equal(table.forAddress(ip('10.0.0.3'), 0), 'rack has its maximum of 2 peers');
    peerOf(table.forAddress(ip('10.0.0.1'), 0));
    peerOf(table.forAddress(ip('10.0.1.1'), 0));
    table.removePeer(first);
    peerOf(table.forAddress(ip('10.0.0.3'), 0));
  });

  it('removes a peer, or a range with all its peers', () => {
    const table = new PeerTable();
    table.add(peerConfig({ ...AS, address: '10.0.0.2' }), 0);
    table.add(peerConfig({ ...AS, range: '10.1.0.0/16' }), 0);
    for (const address of ['10.1.0.1', '10.1.0.2']) peerOf(table.forAddress(ip(address), 0));
    const addresses = table.removeConfig('10.1.0.0/16').map((peer) => String(peer.address));
    assert.deepEqual(addresses, ['10.1.0.1', '10.1.0.2']);
    assert.equal(typeof table.forAddress(ip('10.1.0.1'), 0), 'string');
    assert.equal(table.removeConfig('10.0.0.2').length, 1);
    assert.equal(table.removeConfig('10.0.0.2').length, 0);
    assert.equal(table.size, 0);
  });

  it('applies a changed configuration to the range and to all its peers', () => {
    const table = new PeerTable();
    table.add(peerConfig({ ...AS, range: '10.1.0.0/16' }), 0);
    const peer = peerOf(table.forAddress(ip('10.1.0.1'), 0));
    table.replaceConfig(peerConfig({ ...AS, range: '10.1.0.0/16', maximumPrefixes: 7 }));
    assert.equal(peer.config.maximumPrefixes, 7);
    assert.equal(peerOf(table.forAddress(ip('10.1.0.2'), 0)).config.maximumPrefixes, 7);
  });
});

describe('a peer', () => {
  const peer = (options: Partial<PeerOptions>) => {
    const config = peerConfig({ ...AS, ...options });
    return new Peer({ config, address: config.address ?? null, isDynamic: false, now: 0 });
  };

  it('is connected to at its time, unless it is passive', () => {
    const active = peer({ address: '10.0.0.2' });
    const passive = peer({ address: '10.0.0.3', passive: true });
    assert.ok(!active.shouldConnect(1e12), 'not before the time is set');
    active.retryAt = passive.retryAt = 1000;
    assert.deepEqual(
      [999, 1000].map((now) => active.shouldConnect(now)),
      [false, true],
    );
    assert.ok(!passive.shouldConnect(1e12));
  });

  it('is Idle until idleUntil, then Active', () => {
    const idle = peer({ address: '10.0.0.2' });
    idle.idleUntil = 500;
    assert.deepEqual(
      [499, 500].map((now) => idle.state(now)),
      ['Idle', 'Active'],
    );
  });
});

describe('Backoff', () => {
  it('starts at a fifth of the retry time and doubles up to the cap', () => {
    const backoff = new Backoff();
    const waits = Array.from({ length: 7 }, () => backoff.next(5000, 30_000, () => 1));
    assert.deepEqual(waits, [1000, 2000, 4000, 8000, 16_000, 30_000, 30_000]);
  });

  it('has a jitter of 0.75 to 1 (RFC 4271 §10)', () => {
    const random = seededRandom(1);
    const waits: number[] = [];
    for (let i = 0; i < 1000; i++) waits.push(new Backoff().next(5000, 30_000, random));
    assert.ok(waits.every((wait) => wait >= 750 && wait <= 1000));
    assert.ok(Math.min(...waits) < 760 && Math.max(...waits) > 990, 'the whole range is used');
  });

  it('stays at the cap, and starts again after a reset', () => {
    const backoff = new Backoff();
    for (let i = 0; i < 5000; i++) assert.ok(backoff.next(5000, 60_000, () => 1) <= 60_000);
    backoff.reset();
    assert.equal(
      backoff.next(5000, 60_000, () => 1),
      1000,
    );
  });
});
