import assert from 'node:assert/strict';
import { seededRandom } from 'bgp-js-testing/simulator/random.ts';
import { decide } from '../../rib/decision.ts';
import { DirtyQueue } from '../../rib/dirty-queue.ts';
import { type AttrsId, NO_PATH } from '../../rib/store/ids.ts';
import { PathState } from '../../rib/store/path-table.ts';
import { announce, makeRib, makeSet, makeSource, nlri } from './helpers.ts';

describe('a prefix that never had a path', () => {
  it('can be withdrawn', () => {
    const { rib, sources } = makeRib();
    const { index } = makeSource(sources);
    const bytes = nlri('10.1.0.0/16');
    rib.prefixes.hold(rib.prefixes.intern(bytes, 0));
    rib.withdraw(index, bytes, 0);
    assert.equal(rib.paths, 0);
  });
});

describe('FamilyRib', () => {
  it('marks a prefix for its readers when its best path is new, changes or ends, and only then', () => {
    const { rib, attributes, sources } = makeRib();
    const queue = new DirtyQueue(rib.prefixes);
    rib.addReader(queue);
    const peer = makeSource(sources);
    const bytes = nlri('10.1.0.0/16');
    const first = makeSet(attributes, { med: 1 });
    const second = makeSet(attributes, { med: 2 });
    const drained = (): number => {
      let count = 0;
      for (let id = queue.take(); id >= 0; id = queue.take()) {
        rib.prefixes.release(id);
        count++;
      }
      return count;
    };
    announce(rib, peer, bytes, first);
    assert.equal(drained(), 1);
    announce(rib, peer, bytes, first);
    assert.equal(drained(), 0, 'the same again is no change');
    announce(rib, peer, bytes, second);
    announce(rib, peer, bytes, second, PathState.asLoop);
    assert.equal(drained(), 1, 'two changes of one prefix are one mark');
    assert.equal(rib.bestOf(rib.prefixes.find(bytes, 0)), NO_PATH);
    rib.withdraw(peer.index, bytes, 0);
    assert.equal(drained(), 0, 'an unusable path is no change');
    assert.equal(rib.prefixes.size, 0);
    assert.equal(attributes.size, 0);
    assert.deepEqual([peer.received, peer.accepted, peer.best], [0, 0, 0]);
  });

  it('marks no prefix for a path that is not the best', () => {
    const { rib, attributes, sources } = makeRib();
    const [a, b] = [makeSource(sources), makeSource(sources)];
    const bytes = nlri('10.1.0.0/16');
    announce(rib, a, bytes, makeSet(attributes, { localPref: 200 }));
    const queue = new DirtyQueue(rib.prefixes);
    rib.addReader(queue);
    announce(rib, b, bytes, makeSet(attributes, { localPref: 100 }));
    rib.withdraw(b.index, bytes, 0);
    assert.equal(queue.size, 0);
  });

  it('marks equal paths as a multipath set up to the maximum', () => {
    const { rib, attributes, sources } = makeRib();
    rib.maximumPaths = 2;
    const bytes = nlri('10.1.0.0/16');
    const peers = [makeSource(sources), makeSource(sources), makeSource(sources)];
    peers.forEach((peer, i) => {
      announce(rib, peer, bytes, makeSet(attributes, { nextHop: `10.0.0.${i + 1}` }));
    });
    const id = rib.prefixes.find(bytes, 0);
    const marked: number[] = [];
    for (let path = rib.headOf(id); path !== NO_PATH; path = rib.nextOf(path)) {
      if (rib.isMultipath(path)) marked.push(rib.sourceOf(path));
    }
    assert.deepEqual(marked, [peers[0].index, peers[1].index]);
  });

  for (const seed of [1, 2, 3]) {
    it(`agrees with a plain decision process after any history (seed ${seed})`, () => {
      const { rib, attributes, sources } = makeRib();
      rib.maximumPaths = seed === 3 ? 4 : 1;
      const random = seededRandom(seed);
      const pick = (below: number): number => Math.floor(random() * below);
      const queue = new DirtyQueue(rib.prefixes);
      rib.addReader(queue);
      const peers = Array.from({ length: 5 }, (_, i) => makeSource(sources, { kind: 1 + (i % 3) }));
      const prefixes = Array.from({ length: 30 }, (_, i) => nlri(`10.${i}.0.0/16`));
      const model = new Map<string, { attrs: AttrsId; state: number }>();
      const keyOf = (prefix: number, peer: number): string => `${prefix}/${peer}`;
      for (let round = 0; round < 5000; round++) {
        const prefix = pick(prefixes.length);
        const peer = pick(peers.length);
        if (pick(3) === 0) {
          rib.withdraw(peers[peer].index, prefixes[prefix], 0);
          model.delete(keyOf(prefix, peer));
        } else {
          const ases = Array.from({ length: 1 + pick(2) }, () => 1 + pick(2));
          const attrs = makeSet(attributes, { med: pick(3), asPath: [{ type: 'sequence', ases }] });
          const state = pick(5) === 0 ? PathState.asLoop : PathState.usable;
          // A set that is not used yet must outlive the model's use of it.
          attributes.retain(attrs);
          announce(rib, peers[peer], prefixes[prefix], attrs, state);
          model.set(keyOf(prefix, peer), { attrs, state });
        }
        if (round % 500 === 499) check();
      }
      for (const { index } of peers)
        for (let at = rib.sweep(index, 0, 7); at !== 0; ) at = rib.sweep(index, at, 7);
      model.clear();
      check();
      for (let id = queue.take(); id >= 0; id = queue.take()) rib.prefixes.release(id);
      assert.equal(rib.paths, 0);
      assert.equal(rib.prefixes.size, 0);

      function check(): void {
        prefixes.forEach((bytes, prefix) => {
          const usable = peers.flatMap((source, peer) => {
            const route = model.get(keyOf(prefix, peer));
            return route && route.state === PathState.usable ? [{ attrs: route.attrs, source }] : [];
          });
          const id = rib.prefixes.find(bytes, 0);
          const best = id < 0 ? NO_PATH : rib.bestOf(id);
          if (usable.length === 0) {
            assert.equal(best, NO_PATH);
            return;
          }
          const expected = decide(usable, attributes);
          assert.equal(rib.sourceOf(best), expected.best.source.index);
          assert.equal(rib.attrsOf(best), expected.best.attrs);
        });
        peers.forEach((source, peer) => {
          const routes = prefixes.flatMap((_, prefix) => model.get(keyOf(prefix, peer)) ?? []);
          assert.equal(source.received, routes.length);
          assert.equal(source.accepted, routes.filter(({ state }) => state === PathState.usable).length);
        });
      }
    });
  }
});
