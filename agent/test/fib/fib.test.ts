import assert from 'node:assert/strict';
import type { IPPrefix } from 'bgp-js/ip';
import { Simulation } from 'bgp-js-testing';
import type { Dataplane, DataplaneEntry } from '../../dataplane/dataplane.ts';
import { Fib } from '../../fib/fib.ts';

/** A dataplane that remembers what it was asked for. */
class FakeDataplane implements Dataplane {
  readonly entries = new Map<string, string[]>();
  changes = 0;
  set({ prefix, nextHops }: DataplaneEntry): void {
    this.entries.set(`${prefix}`, nextHops.map(String));
    this.changes++;
  }
  delete(prefix: IPPrefix): void {
    this.entries.delete(`${prefix}`);
    this.changes++;
  }
  state(prefix: IPPrefix): string | null {
    return this.entries.has(`${prefix}`) ? 'installed' : null;
  }
  unresolved(): [] {
    return [];
  }
  async settled(): Promise<void> {}
  close(): void {}
}

/** A node (AS 64512) with two ToRs of one AS each, which announce the routes of the test. */
function rack(maximumPaths: number) {
  const sim = new Simulation(7);
  const node = sim.add({ as: 64512, maximumPaths }, '10.0.0.1');
  const tors = [sim.add({ as: 65001 }, '10.0.0.251'), sim.add({ as: 65002 }, '10.0.0.252')];
  for (const tor of tors) sim.peer(node, tor);
  const dataplane = new FakeDataplane();
  const fib = new Fib(node.speaker.routing.rib, dataplane);
  const settle = (): void => {
    sim.run(2000);
    while (fib.hasWork) fib.work();
  };
  return { sim, node, tors, dataplane, fib, settle };
}

describe('Fib', () => {
  it('sets learned routes with their next hop and deletes withdrawn ones', () => {
    const { tors, dataplane, settle } = rack(1);
    tors[0].speaker.originate('172.20.0.0/24');
    settle();
    assert.deepEqual(dataplane.entries.get('172.20.0.0/24'), ['10.0.0.251']);
    tors[0].speaker.withdraw('172.20.0.0/24');
    settle();
    assert.equal(dataplane.entries.size, 0);
  });

  it('shares the traffic over equal paths of two external peers, and uses the remaining one', () => {
    const { sim, tors, dataplane, settle } = rack(4);
    for (const tor of tors) tor.speaker.originate('0.0.0.0/1');
    for (const tor of tors) tor.speaker.originate('172.20.0.0/24');
    settle();
    assert.deepEqual(dataplane.entries.get('172.20.0.0/24')?.sort(), ['10.0.0.251', '10.0.0.252']);
    sim.kill(tors[0]);
    settle();
    assert.deepEqual(dataplane.entries.get('172.20.0.0/24'), ['10.0.0.252']);
  });

  it('passes on the IPv6 next hop of an IPv4 route (RFC 8950)', () => {
    const sim = new Simulation(8);
    const node = sim.add({ as: 64512, routerId: '10.0.0.1', address: null }, '2001:db8::1');
    const tor = sim.add({ as: 65001, routerId: '10.0.0.251', address: null }, '2001:db8::251');
    sim.peer(node, tor, { extendedNextHop: true });
    const dataplane = new FakeDataplane();
    const fib = new Fib(node.speaker.routing.rib, dataplane);
    tor.speaker.originate('172.20.0.0/24');
    sim.run(2000);
    while (fib.hasWork) fib.work();
    assert.deepEqual(dataplane.entries.get('172.20.0.0/24'), ['2001:db8::251']);
  });

  it('uses one path when maximumPaths is 1', () => {
    const { tors, dataplane, settle } = rack(1);
    for (const tor of tors) tor.speaker.originate('172.20.0.0/24');
    settle();
    assert.equal(dataplane.entries.get('172.20.0.0/24')?.length, 1);
  });

  it("ignores the node's own routes", () => {
    const { node, dataplane, settle } = rack(1);
    node.speaker.originate('10.244.1.0/26');
    settle();
    assert.equal(dataplane.entries.size, 0);
  });
});
