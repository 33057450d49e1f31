/** Routes as plain objects. */
import assert from 'node:assert/strict';
import { advertisedTo, longestMatch, routeCounts, routeTo } from '../../index.ts';
import { Bench } from '../speaker/bench.ts';

/** A speaker with a route of its own, and one from the first of two iBGP peers. */
function scene() {
  const bench = new Bench();
  const first = bench.peer('10.0.0.2').establish();
  const second = bench.peer('10.0.0.3').establish();
  bench.speaker.originate('10.244.1.0/26');
  first.announce(['10.1.0.0/16']);
  for (const peer of [first, second]) peer.takeMessages();
  return { bench, first, speaker: bench.speaker };
}

describe('a route', () => {
  it('is found by its prefix alone', () => {
    const { speaker } = scene();
    const route = routeTo(speaker, '10.1.0.0/16');
    assert.deepEqual([route?.prefix, route?.local, route?.paths.length], ['10.1.0.0/16', false, 1]);
    assert.equal(route?.paths[0].source.name, '10.0.0.2');
    assert.equal(routeTo(speaker, '10.244.1.0/26')?.local, true);
    for (const other of ['10.1.0.0/17', '10.0.0.0/15', 'no prefix'])
      assert.equal(routeTo(speaker, other), null);
  });

  it('is found by an address within it, the longest prefix with a usable path first', () => {
    const { speaker, first } = scene();
    first.announce(['10.1.2.0/24']);
    assert.equal(longestMatch(speaker, '10.1.2.3')?.prefix, '10.1.2.0/24');
    first.withdraw(['10.1.2.0/24']);
    assert.equal(longestMatch(speaker, '10.1.2.3')?.prefix, '10.1.0.0/16');
    assert.equal(longestMatch(speaker, '10.2.0.1'), null);
    assert.equal(longestMatch(speaker, '2001:db8::1'), null);
  });

  it('is listed with the peers that it is advertised to: not to its source, nor over iBGP from another iBGP peer', () => {
    const { speaker, bench } = scene();
    const external = bench.peer('10.0.0.4', { as: 65001 }).establish();
    external.takeMessages();
    assert.deepEqual(advertisedTo(speaker, '10.244.1.0/26'), ['10.0.0.2', '10.0.0.3', '10.0.0.4']);
    assert.deepEqual(advertisedTo(speaker, '10.1.0.0/16'), ['10.0.0.4']);
    assert.deepEqual(advertisedTo(speaker, '10.9.0.0/16'), []);
    external.announce(['10.9.0.0/16']);
    assert.deepEqual(advertisedTo(speaker, '10.9.0.0/16'), ['10.0.0.2', '10.0.0.3']);
  });

  it('is counted, as are its paths and the sets of their attributes', () => {
    const { speaker, bench } = scene();
    assert.deepEqual(routeCounts(speaker), { prefixes: 2, paths: 2, attributeSets: 2 });
    bench.peer('10.0.0.4', { as: 65001 }).establish().announce(['10.1.0.0/16']);
    assert.deepEqual(routeCounts(speaker), { prefixes: 2, paths: 3, attributeSets: 3 });
  });
});
