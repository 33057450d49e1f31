import assert from 'node:assert/strict';
import { ScaleCluster } from '../../bench/scale-cluster.ts';
import { meshNode } from '../../bench/scale-mesh.ts';

describe('a simulated cluster', () => {
  for (const oneCluster of [false, true]) {
    it(`has all tables right after each step, ${oneCluster ? 'with one cluster id' : 'each reflector with its own'}`, () => {
      const cluster = new ScaleCluster({ nodes: 60, hosts: 5, reflectors: 3, oneCluster });
      const cold = cluster.coldStart();
      assert.equal(cold.wrong, 0);
      assert.ok(cold.reflector.updates >= 60 * 59, `${cold.reflector.updates} UPDATEs`);
      assert.ok(cold.reflector.octets > cold.reflector.updates * 23);
      assert.ok(cluster.paths().node >= 59 * 6 * 3, 'a path from every reflector');
      assert.equal(cluster.keepalives().wrong, 0);
      const rack = cluster.loseNodes(10);
      assert.equal(rack.wrong, 0);
      assert.ok(rack.reflector.updates >= 50, 'all remaining nodes receive it');
      const dead = cluster.loseReflector();
      assert.equal(dead.wrong, 0);
      assert.equal(dead.reflector.updates, 0, 'the death of a reflector causes no UPDATE');
    });
  }

  it('can be a full mesh', () => {
    const { wrong, sessions } = meshNode(50, 5);
    assert.deepEqual([wrong, sessions], [0, 49]);
  });
});
