/** The speaker's deadline: it follows every change that makes a timer due earlier. */

import assert from 'node:assert/strict';
import { peerConfig } from 'bgp-js-testing/index.ts';
import { KEEPALIVE } from '../../wire/index.ts';
import { ip } from '../ip/values.ts';
import { Bench, OUR_AS } from './bench.ts';

const PEER = '10.0.0.2';

/** How often the speaker searches all timers for its deadline after `happen`. */
function looks({ speaker, now }: Bench, happen: () => void): number {
  assert.ok(speaker.deadline > now);
  happen();
  while (speaker.hasWork) speaker.work(now);
  let count = 0;
  const look = speaker.nearestDeadline.bind(speaker);
  speaker.nearestDeadline = () => {
    count++;
    return look();
  };
  assert.ok(speaker.deadline > now);
  speaker.nearestDeadline = look;
  return count;
}

describe('the deadline of the speaker', () => {
  it('is that of the first timer', () => {
    const bench = new Bench();
    assert.equal(bench.speaker.deadline, Number.POSITIVE_INFINITY);
    bench.peer(PEER, { passive: false });
    assert.equal(bench.speaker.deadline, bench.now);
    bench.advance(0);
    assert.equal(bench.speaker.deadline, bench.now + 10_000);
  });

  it('is not searched again for a message of a peer, but when the old one has passed', () => {
    const bench = new Bench();
    const peer = bench.peer(PEER, { holdTime: 9 }).establish({ holdTime: 9 });
    const first = bench.speaker.deadline;
    assert.ok(first > bench.now && first <= bench.now + 3000);
    assert.equal(
      looks(bench, () => peer.deliver(KEEPALIVE)),
      0,
    );
    assert.equal(
      looks(bench, () => bench.speaker.tick(bench.now)),
      1,
    );
    for (let second = 1; second <= 60; second++) {
      bench.advance(1000);
      peer.send(KEEPALIVE);
    }
    assert.equal(bench.status(PEER).state, 'Established');
    bench.advance(8999);
    assert.equal(bench.status(PEER).state, 'Established');
    bench.advance(1);
    assert.equal(bench.status(PEER).state, 'Active');
  });

  it('is earlier when a passive peer becomes active', () => {
    const bench = new Bench();
    bench.peer(PEER);
    assert.equal(bench.speaker.deadline, Number.POSITIVE_INFINITY);
    bench.speaker.updatePeer(peerConfig({ as: OUR_AS, address: PEER, passive: false }), bench.now);
    assert.equal(bench.speaker.deadline, bench.now);
  });

  it('is earlier when the neighbour on an interface is found', () => {
    const bench = new Bench();
    bench.peer('', { passive: false, address: undefined, transport: { interface: 'eth0' } });
    assert.equal(bench.speaker.deadline, Number.POSITIVE_INFINITY);
    bench.speaker.neighbourFound('eth0', ip('fe80::2'), bench.now);
    assert.ok(bench.speaker.deadline <= bench.now);
  });
});
