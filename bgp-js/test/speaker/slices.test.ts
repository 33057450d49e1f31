/** The amount of work in one slice when many peers send at once. */

import assert from 'node:assert/strict';
import { openBytes } from 'bgp-js-testing/index.ts';
import { peerConfig, Speaker } from '../../index.ts';
import { KEEPALIVE } from '../../wire/index.ts';
import { ip } from '../ip/values.ts';
import { OUR_ADDRESS, OUR_AS } from './bench.ts';

const PEERS = 200;

/** A speaker that has received an OPEN from this many peers at once, each followed by `more`. */
function crowd(peers: number, more: readonly Uint8Array[] = []) {
  const config = { as: OUR_AS, routerId: OUR_ADDRESS, address: OUR_ADDRESS, maximumPaths: 1 };
  const speaker = new Speaker(config, () => 0.5);
  speaker.addPeer(peerConfig({ range: '10.1.0.0/16', as: OUR_AS, maximumPeers: peers }), 0);
  const ids = Array.from({ length: peers }, (_, index) => {
    const id = speaker.accepted(ip(`10.1.0.${index}`), ip(OUR_ADDRESS), 0);
    assert.ok(id !== null);
    const open = openBytes(OUR_AS, { identifier: 0x0a010000 + index });
    speaker.received(id, Uint8Array.from(Buffer.concat([open, ...more])));
    return id;
  });
  const backlog = () => ids.reduce((sum, id) => sum + speaker.backlog(id), 0);
  return { speaker, ids, backlog };
}

describe('a slice of work', () => {
  it('processes some of the connections with input, and the next slices the others', () => {
    const { speaker, ids } = crowd(PEERS);
    // The first sends far more than the others.
    const [talkative] = ids;
    const talk = Buffer.concat(Array.from({ length: 2000 }, () => KEEPALIVE));
    speaker.received(talkative, Uint8Array.from(talk));
    const greeted = () => [...speaker.peers].filter((peer) => peer.state(0) !== 'OpenSent').length;
    assert.equal(greeted(), 0);
    speaker.work(0);
    const first = greeted();
    assert.ok(first > 0 && first < PEERS / 2, `${first} of ${PEERS} in the first slice`);
    for (let slices = 1; greeted() < PEERS; slices++) {
      assert.ok(slices < 20, `${greeted()} of ${PEERS} after ${slices} slices`);
      speaker.work(0);
    }
    assert.ok(speaker.backlog(talkative) > 0, 'the others do not wait for the peer that sent most');
  });

  it('is no longer when many peers have sent much', () => {
    const taken = [1, 40].map((peers) => {
      const talk = Array.from({ length: 1000 }, () => KEEPALIVE);
      const { speaker, backlog } = crowd(peers, talk);
      const before = backlog();
      speaker.work(0);
      return before - backlog();
    });
    const [one, many] = taken;
    assert.ok(one > 0 && many > 0 && many < 2 * one, `${taken.join(' and ')} octets`);
  });

  it('establishes all sessions before it processes what follows on any of them', () => {
    const talk = Array.from({ length: 50 }, () => KEEPALIVE);
    const { speaker, backlog } = crowd(PEERS, [KEEPALIVE, ...talk]);
    const established = () => [...speaker.peers].filter((peer) => peer.state(0) === 'Established').length;
    while (established() < PEERS) {
      assert.ok(
        backlog() >= PEERS * talk.length * KEEPALIVE.length,
        `${PEERS - established()} wait while others are processed`,
      );
      speaker.work(0);
    }
    while (speaker.hasWork) speaker.work(0);
    assert.equal(backlog(), 0);
  });
});
