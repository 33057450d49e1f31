import assert from 'node:assert/strict';
import { RouteListener } from '../../bench/listener.ts';
import { LocalSpeaker } from '../../bench/local-speaker.ts';
import { RouteSpace } from '../../bench/routes.ts';

describe('numbered routes', () => {
  for (const length of [24, 26, 32]) {
    it(`are found again by their prefixes of /${length}`, () => {
      const space = new RouteSpace(3000, length);
      const listener = new RouteListener(space);
      listener.take(
        Uint8Array.from(space.announce({ from: 0, to: 3000, version: 7, nextHop: '10.201.0.1' })),
      );
      assert.equal(listener.present, 3000);
      assert.ok(listener.table.every((version) => version === 7));
      assert.ok(listener.counts.updates >= 3, 'they do not fit into one message');
      listener.take(Uint8Array.from(space.withdraw(10, 2990)));
      assert.equal(listener.present, 20);
      assert.equal(listener.table[9], 7);
      assert.equal(listener.table[10], 0);
    });
  }

  it('count as foreign when they are not in the set', () => {
    const listener = new RouteListener(new RouteSpace(10, 24));
    listener.take(Uint8Array.from(new RouteSpace(20, 24).withdraw(0, 20)));
    listener.take(Uint8Array.from(new RouteSpace(5, 25).withdraw(0, 5)));
    assert.equal(listener.counts.foreign, 15);
  });

  it('differ from the truth when missing, wrong, or not withdrawn', () => {
    const listener = new RouteListener(new RouteSpace(4, 24));
    listener.table.set([1, 2, 0, 4]);
    assert.equal(listener.differences(Uint32Array.of(1, 3, 3, 0)), 3);
    assert.equal(
      listener.differences(Uint32Array.of(1, 2, 9, 4), 2, 3),
      0,
      "a client's own routes do not count",
    );
  });
});

describe('a speaker with light neighbours', () => {
  it('reflects routes to all but their sender', () => {
    const space = new RouteSpace(1000, 26);
    const local = new LocalSpeaker();
    const listeners = [0, 1, 2].map(() => new RouteListener(space));
    const [sender] = listeners.map((listener, index) => local.establish(index, listener));
    local.send(sender, space.announce({ from: 0, to: 1000, version: 3, nextHop: '10.201.0.0' }));
    const truth = new Uint32Array(1000).fill(3);
    assert.deepEqual(
      listeners.map((listener) => listener.differences(truth)),
      [1000, 0, 0],
    );
    local.send(sender, space.withdraw(0, 1000));
    assert.deepEqual(
      listeners.map(({ present }) => present),
      [0, 0, 0],
    );
  });
});
