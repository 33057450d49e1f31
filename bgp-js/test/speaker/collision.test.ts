/** Connection collisions: both sides connect at the same time (RFC 4271 §6.8, RFC 6286 §2.3). */
import assert from 'node:assert/strict';
import { Simulation } from 'bgp-js-testing/index.ts';
import { peerStatuses, routeTo } from '../../index.ts';
import { KEEPALIVE } from '../../wire/index.ts';
import { Bench, HandPeer, OUR_AS } from './bench.ts';

/** Our own address is 10.0.0.1: the first peer has the higher identifier, the second the lower one. */
const HIGHER = '10.0.0.2';
const LOWER = '10.0.0.0';

/** A speaker that has connected to the peer, which connected to it. Two objects play the two connections. */
function crossing(address: string): { bench: Bench; outgoing: HandPeer; incoming: HandPeer } {
  const bench = new Bench();
  const outgoing = bench.peer(address, { passive: false });
  bench.advance(0);
  outgoing.answer();
  const incoming = new HandPeer(bench, address, OUR_AS);
  assert.ok(incoming.connect());
  for (const hand of [outgoing, incoming]) assert.deepEqual(hand.received(), ['open']);
  return { bench, outgoing, incoming };
}

/** Whichever OPEN arrives first, the speaker closes the same connection, and does not report it as an error. */
describe('a collision', () => {
  for (const [address, kept, lost] of [
    [HIGHER, 'incoming', 'outgoing'],
    [LOWER, 'outgoing', 'incoming'],
  ] as const) {
    for (const first of ['incoming', 'outgoing'] as const) {
      it(`the peer is ${address}, its OPEN arrives first on the ${first} connection: the ${kept} one stays`, () => {
        const { bench, ...hands } = crossing(address);
        hands[first].send(hands[first].open());
        if (first === lost && !hands[lost].closed) {
          assert.deepEqual(hands[lost].received(), ['keepalive'], 'the peer may still give up the other one');
        }
        if (first !== kept) hands[kept].send(hands[kept].open());
        assert.deepEqual([hands[lost].received(), hands[lost].closed], [['notification 6/7'], true]);
        hands[kept].send(KEEPALIVE);
        assert.deepEqual([hands[kept].closed, bench.status(address).state], [false, 'Established']);
        assert.equal(bench.status(address).lastError, null);
      });
    }
  }

  it('that the peer avoids by closing the connection that would have stayed: the other one is established', () => {
    const { bench, incoming, outgoing } = crossing(HIGHER);
    outgoing.send(outgoing.open());
    bench.speaker.disconnected(incoming.id, 'the peer closed the connection', bench.now);
    outgoing.send(KEEPALIVE);
    assert.equal(bench.status(HIGHER).state, 'Established');
  });

  it('that we avoid: our connection is closed without an OPEN if it is established late', () => {
    for (const address of [HIGHER, LOWER]) {
      const bench = new Bench();
      const late = bench.peer(address, { passive: false });
      bench.advance(0);
      const early = new HandPeer(bench, address, OUR_AS);
      assert.ok(early.connect());
      early.send(early.open());
      late.answer();
      assert.deepEqual([late.received(), late.closed], [[], true]);
      early.send(KEEPALIVE);
      assert.equal(bench.status(address).state, 'Established');
    }
  });

  it('does not end an established session, whichever identifier is higher', () => {
    for (const address of [HIGHER, LOWER]) {
      const bench = new Bench();
      const established = bench.peer(address, { passive: false });
      bench.advance(0);
      established.answer();
      established.send(established.open(), KEEPALIVE);
      established.takeMessages();
      const late = new HandPeer(bench, address, OUR_AS);
      assert.ok(late.connect());
      late.send(late.open());
      assert.deepEqual(late.received(), ['open', 'notification 6/7']);
      assert.deepEqual([established.received(), established.closed], [[], false]);
      assert.equal(bench.status(address).counters.established, 1);
    }
  });

  it('of two incoming connections is won by the second, unless the first is established', () => {
    const bench = new Bench();
    const first = bench.peer(HIGHER);
    assert.ok(first.connect());
    const second = new HandPeer(bench, HIGHER, OUR_AS);
    assert.ok(second.connect());
    assert.deepEqual([first.received(), first.closed], [['open', 'notification 6/7'], true]);
    second.send(second.open(), KEEPALIVE);
    assert.equal(bench.status(HIGHER).state, 'Established');
    assert.equal(second.connect(), false, 'an established one is not replaced');
  });
});

describe('two speakers that connect at the same time', () => {
  /** Runs two speakers; returns how many connections were made that did not last. */
  function meet(seed: number, asB: number, idB: string): number {
    const sim = new Simulation(seed);
    const a = sim.add({ as: 64512, routerId: '10.0.0.1' }, '10.0.0.1');
    const b = sim.add({ as: asB, routerId: idB }, '10.0.0.2');
    sim.peer(a, b);
    let accepted = 0;
    for (const { speaker } of [a, b]) {
      const accept = speaker.accepted.bind(speaker);
      speaker.accepted = (...args) => {
        accepted++;
        return accept(...args);
      };
    }
    a.speaker.originate('10.244.1.0/26');
    b.speaker.originate('10.244.2.0/26');
    sim.run(10_000);
    for (const node of [a, b]) {
      const [status] = peerStatuses(node.speaker, sim.now);
      assert.equal(status.state, 'Established', `seed ${seed}: ${status.lastError?.text}`);
      assert.equal([...node.speaker.connections()].length, 1, `seed ${seed}: exactly one connection`);
    }
    assert.equal(routeTo(a.speaker, '10.244.2.0/26')?.paths[0].status, 'best', `seed ${seed}`);
    assert.equal(routeTo(b.speaker, '10.244.1.0/26')?.paths[0].status, 'best', `seed ${seed}`);
    const flaps = [a, b].map(({ log }) => log.filter(({ event }) => event.type === 'down').length);
    assert.deepEqual(flaps, [0, 0], `seed ${seed}: what was established stays`);
    return accepted - 1;
  }

  const PAIRS: [string, number, string][] = [
    ['iBGP', 64512, '10.0.0.2'],
    ['eBGP', 65001, '10.0.0.2'],
    ['eBGP with equal identifiers', 65001, '10.0.0.1'],
  ];
  for (const [title, as, id] of PAIRS) {
    it(`end with one session, whatever the network does (${title}, 1,000 seeds)`, () => {
      let crossed = 0;
      for (let seed = 1; seed <= 1000; seed++) crossed += Math.min(1, meet(seed, as, id));
      assert.ok(crossed > 300, `in ${crossed} of 1,000 runs connections crossed`);
    });
  }
});
