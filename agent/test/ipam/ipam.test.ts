import assert from 'node:assert/strict';
import { Ipam, NoAddressError, RangeInUseError } from '../../ipam/ipam.ts';
import {
  type Allocation,
  type AllocationStore,
  type Owner,
  ownerKey,
  type Release,
} from '../../ipam/store.ts';

class MemoryStore implements AllocationStore {
  restMs = 0;
  lastAddress: string | undefined;
  broken = false;
  readonly held = new Map<string, Allocation>();
  releases: Release[] = [];

  get allocations(): Iterable<Allocation> {
    return this.held.values();
  }

  async add(allocation: Allocation): Promise<void> {
    if (this.broken) throw new Error('the disk is full');
    this.held.set(ownerKey(allocation), allocation);
    this.lastAddress = allocation.address;
  }

  async remove(allocation: Allocation, time: number): Promise<void> {
    if (this.broken) throw new Error('the disk is full');
    this.held.delete(ownerKey(allocation));
    this.releases.push({ address: allocation.address, time });
  }

  async close(): Promise<void> {}
}

const owner = (n: number): Owner => ({
  containerId: `c${n}`,
  ifname: 'eth0',
  network: 'flatroute',
  pod: { namespace: 'default', name: `pod-${n}` },
  netns: `/run/netns/pod${n}`,
  hostInterface: `fr${n}`,
});

describe('ipam', () => {
  let store: MemoryStore;
  let now: number;
  const ipam = (cidrs: string[], quarantineSeconds = 10): Ipam =>
    new Ipam({ cidrs, reserved: ['10.0.0.1'], quarantineSeconds, store, now: () => now });

  beforeEach(() => {
    store = new MemoryStore();
    now = 0;
  });

  it('allocates, finds, releases, and lets the address rest only when its link is gone', async () => {
    const addresses = ipam(['10.0.0.0/31']);
    const held = await addresses.allocate(owner(1));
    assert.equal(held.address, '10.0.0.0');
    assert.equal(addresses.find('10.0.0.0'), held);
    assert.equal(addresses.get(owner(1)), held);
    await assert.rejects(addresses.allocate(owner(1)), /holds an address already/);
    await assert.rejects(addresses.allocate(owner(2)), NoAddressError);
    await addresses.release(held);
    assert.equal(addresses.find('10.0.0.0'), undefined);
    now += 1_000_000;
    await assert.rejects(addresses.allocate(owner(2)), NoAddressError);
    addresses.rest('10.0.0.0');
    now += 9_999;
    await assert.rejects(addresses.allocate(owner(2)), /10\.0\.0\.0\/31: 0 of 2 used, 1 resting/);
    assert.equal(addresses.hasFree(), false);
    now += 1;
    assert.equal((await addresses.allocate(owner(2))).address, '10.0.0.0');
  });

  it('gives a certain address, and refuses one that is taken, foreign or nonsense', async () => {
    const addresses = ipam(['10.0.0.0/24']);
    assert.equal((await addresses.allocate(owner(1), '10.0.0.77')).address, '10.0.0.77');
    await assert.rejects(addresses.allocate(owner(2), '10.0.0.77'), /taken/);
    await assert.rejects(addresses.allocate(owner(2), '10.0.0.1'), /taken/);
    await assert.rejects(addresses.allocate(owner(2), '10.9.0.77'), /none of this node's ranges/);
    await assert.rejects(addresses.allocate(owner(2), 'x'), /not an IPv4 address/);
  });

  it('holds nothing after a store that could not write, and does not reuse the address at once', async () => {
    const addresses = ipam(['10.0.0.2/31']);
    store.broken = true;
    await assert.rejects(addresses.allocate(owner(1)), /disk is full/);
    assert.equal(addresses.get(owner(1)), undefined);
    store.broken = false;
    assert.equal((await addresses.allocate(owner(1))).address, '10.0.0.3');
    await assert.rejects(addresses.allocate(owner(2)), NoAddressError);
    now += 10_000;
    assert.equal((await addresses.allocate(owner(2))).address, '10.0.0.2');
    store.broken = true;
    await assert.rejects(addresses.release(addresses.get(owner(2))!), /disk is full/);
    assert.ok(addresses.get(owner(2)));
  });

  it('takes up where the store left off: allocations, rests and the place in the range', async () => {
    const first = ipam(['10.0.0.0/29']);
    await first.allocate(owner(1));
    const second = await first.allocate(owner(2));
    await first.release(second);
    const again = ipam(['10.0.0.0/29']);
    assert.deepEqual(again.usage(), [{ cidr: '10.0.0.0/29', size: 8, used: 1, resting: 1 }]);
    assert.equal((await again.allocate(owner(3))).address, '10.0.0.3');
  });

  it('does not rest for ever after the clock was set back', async () => {
    store.releases = [{ address: '10.0.0.2', time: Date.now() + 1e9 }];
    const addresses = ipam(['10.0.0.2/32']);
    await assert.rejects(addresses.allocate(owner(1)), NoAddressError);
    now += 10_000;
    assert.equal((await addresses.allocate(owner(1))).address, '10.0.0.2');
  });

  it('changes ranges at run time, but takes none away from running pods', async () => {
    const addresses = ipam(['10.0.0.0/29', '10.1.0.0/29']);
    const names = await Promise.all([1, 2, 3, 4, 5, 6, 7].map((n) => addresses.allocate(owner(n))));
    assert.equal(new Set(names.map(({ address }) => address)).size, 7);
    assert.throws(
      () => addresses.setRanges(['10.1.0.0/29']),
      (error: unknown) => {
        assert.ok(error instanceof RangeInUseError);
        assert.match(error.message, /default\/pod-1 \(10\.0\.0\.0\).*and 2 more/);
        return true;
      },
    );
    assert.throws(() => addresses.setRanges(['10.0.0.0/29', '10.0.0.0/28']), /overlap/);
    addresses.setRanges(['10.0.0.0/28']);
    assert.deepEqual(addresses.usage(), [{ cidr: '10.0.0.0/28', size: 16, used: 7, resting: 0 }]);
    await addresses.release(names[0]);
    addresses.setRanges(['10.0.0.0/28', '10.2.0.0/30']);
    const rest = await Promise.all(Array.from({ length: 12 }, (_, n) => addresses.allocate(owner(n + 10))));
    assert.equal(new Set([...names, ...rest].map(({ address }) => address)).size, 19);
    await assert.rejects(addresses.allocate(owner(99)), NoAddressError);
  });

  it('keeps allocations outside of the ranges and names them', async () => {
    const addresses = ipam(['10.0.0.0/29']);
    await addresses.allocate(owner(1));
    const moved = ipam(['10.5.0.0/29']);
    assert.deepEqual(
      moved.strays().map(({ address }) => address),
      ['10.0.0.0'],
    );
    moved.setRanges(['10.5.0.0/30']);
    await moved.release(moved.get(owner(1))!);
    assert.deepEqual(moved.strays(), []);
  });

  it('says so when the node has no range at all', async () => {
    await assert.rejects(ipam([]).allocate(owner(1)), /no podCIDRs/);
  });
});
