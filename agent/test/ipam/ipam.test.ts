import assert from 'node:assert/strict';
import type { IPAddress, IPPrefix } from 'bgp-js/ip';
import { type Capacity, Ipam, isNearlyFull, NoAddressError, RangeInUseError } from '../../ipam/ipam.ts';
import {
  type Allocation,
  type AllocationStore,
  ConflictError,
  type Owner,
  ownerKey,
  type Release,
} from '../../ipam/store.ts';
import { ip, net } from '../addresses.ts';

const cidrs = (...list: string[]): IPPrefix[] => list.map(net);
const text = ({ addresses }: Allocation): string => addresses.join();

class MemoryStore implements AllocationStore {
  quarantineMs = 0;
  lastAddresses: readonly IPAddress[] = [];
  broken = false;
  /** Addresses that another node holds. */
  foreign: string[] = [];
  readonly held = new Map<string, Allocation>();
  releases: Release[] = [];

  get allocations(): Iterable<Allocation> {
    return this.held.values();
  }

  async add(allocation: Allocation): Promise<void> {
    if (this.broken) throw new Error('the disk is full');
    for (const address of allocation.addresses)
      if (this.foreign.includes(address.toString())) throw new ConflictError(address, 'node n2');
    this.held.set(ownerKey(allocation), allocation);
    this.lastAddresses = allocation.addresses;
  }

  async remove(allocation: Allocation, time: number): Promise<void> {
    if (this.broken) throw new Error('the disk is full');
    this.held.delete(ownerKey(allocation));
    for (const address of allocation.addresses) this.releases.push({ address, time });
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
  let nearlyFull: Capacity[];
  const ipam = (ranges: string[], quarantineSeconds = 10): Ipam =>
    new Ipam({
      ranges: cidrs(...ranges),
      reserved: [ip('10.0.0.1')],
      quarantineSeconds,
      store,
      now: () => now,
      onNearlyFull: (capacity) => nearlyFull.push(capacity),
    });

  beforeEach(() => {
    store = new MemoryStore();
    now = 0;
    nearlyFull = [];
  });

  it('starts the quarantine of a released address only when its link is deleted', async () => {
    const addresses = ipam(['10.0.0.0/31']);
    const held = await addresses.allocate(owner(1));
    assert.equal(text(held), '10.0.0.0');
    assert.equal(addresses.find(ip('10.0.0.0')), held);
    assert.equal(addresses.get(owner(1)), held);
    await assert.rejects(addresses.allocate(owner(1)), /holds an address already/);
    await assert.rejects(addresses.allocate(owner(2)), NoAddressError);
    await addresses.release(held);
    assert.equal(addresses.find(ip('10.0.0.0')), undefined);
    now += 1_000_000;
    await assert.rejects(addresses.allocate(owner(2)), NoAddressError);
    addresses.startQuarantine(ip('10.0.0.0'));
    now += 9_999;
    await assert.rejects(addresses.allocate(owner(2)), /10\.0\.0\.0\/31: 0 of 2 used, 1 resting/);
    assert.equal(addresses.hasFree(), false);
    now += 1;
    assert.equal(text(await addresses.allocate(owner(2))), '10.0.0.0');
  });

  it('allocates a requested address, and refuses one that is taken or outside of the ranges', async () => {
    const addresses = ipam(['10.0.0.0/24']);
    assert.equal(text(await addresses.allocate(owner(1), ip('10.0.0.77'))), '10.0.0.77');
    await assert.rejects(addresses.allocate(owner(2), ip('10.0.0.77')), /taken/);
    await assert.rejects(addresses.allocate(owner(2), ip('10.0.0.1')), /taken/);
    await assert.rejects(addresses.allocate(owner(2), ip('10.9.0.77')), /none of this node's ranges/);
    await assert.rejects(addresses.allocate(owner(2), ip('fd00::1')), /fd00::1 is in none/);
  });

  it('allocates nothing if the store fails, and does not reuse the address at once', async () => {
    const addresses = ipam(['10.0.0.2/31']);
    store.broken = true;
    await assert.rejects(addresses.allocate(owner(1)), /disk is full/);
    assert.equal(addresses.get(owner(1)), undefined);
    store.broken = false;
    assert.equal(text(await addresses.allocate(owner(1))), '10.0.0.3');
    await assert.rejects(addresses.allocate(owner(2)), NoAddressError);
    now += 10_000;
    assert.equal(text(await addresses.allocate(owner(2))), '10.0.0.2');
    store.broken = true;
    await assert.rejects(addresses.release(addresses.get(owner(2))!), /disk is full/);
    assert.ok(addresses.get(owner(2)));
  });

  it('continues after a restart with allocations, quarantines and the position in the range', async () => {
    const first = ipam(['10.0.0.0/29']);
    await first.allocate(owner(1));
    const second = await first.allocate(owner(2));
    await first.release(second);
    const again = ipam(['10.0.0.0/29']);
    assert.deepEqual(again.usage(), [{ range: cidrs('10.0.0.0/29')[0], size: 8, used: 1, resting: 1 }]);
    assert.equal(text(await again.allocate(owner(3))), '10.0.0.3');
  });

  it('ends a quarantine also after the wall clock was set back', async () => {
    store.releases = [{ address: ip('10.0.0.2'), time: Date.now() + 1e9 }];
    const addresses = ipam(['10.0.0.2/32']);
    await assert.rejects(addresses.allocate(owner(1)), NoAddressError);
    now += 10_000;
    assert.equal(text(await addresses.allocate(owner(1))), '10.0.0.2');
  });

  it('changes ranges at run time, but not those of running pods', async () => {
    const addresses = ipam(['10.0.0.0/29', '10.1.0.0/29']);
    const names = await Promise.all([1, 2, 3, 4, 5, 6, 7].map((n) => addresses.allocate(owner(n))));
    assert.equal(new Set(names.map(text)).size, 7);
    assert.throws(
      () => addresses.setRanges(cidrs('10.1.0.0/29')),
      (error: unknown) => {
        assert.ok(error instanceof RangeInUseError);
        assert.match(error.message, /default\/pod-1 \(10\.0\.0\.0\).*and 2 more/);
        return true;
      },
    );
    assert.throws(() => addresses.setRanges(cidrs('10.0.0.0/29', '10.0.0.0/28')), /overlap/);
    addresses.setRanges(cidrs('10.0.0.0/28'));
    assert.deepEqual(addresses.usage(), [{ range: cidrs('10.0.0.0/28')[0], size: 16, used: 7, resting: 0 }]);
    await addresses.release(names[0]);
    addresses.setRanges(cidrs('10.0.0.0/28', '10.2.0.0/30'));
    const rest = await Promise.all(Array.from({ length: 12 }, (_, n) => addresses.allocate(owner(n + 10))));
    assert.equal(new Set([...names, ...rest].map(text)).size, 19);
    await assert.rejects(addresses.allocate(owner(99)), NoAddressError);
  });

  it('keeps allocations outside of the ranges and lists them', async () => {
    const addresses = ipam(['10.0.0.0/29']);
    await addresses.allocate(owner(1));
    const moved = ipam(['10.5.0.0/29']);
    assert.deepEqual(moved.outsideRanges().map(text), ['10.0.0.0']);
    moved.setRanges(cidrs('10.5.0.0/30'));
    await moved.release(moved.get(owner(1))!);
    assert.deepEqual(moved.outsideRanges(), []);
  });

  it('reports that the node has no range', async () => {
    await assert.rejects(ipam([]).allocate(owner(1)), /no podCIDRs/);
  });

  it('tries the next address if the store holds one for another owner', async () => {
    const addresses = ipam(['10.0.0.8/30']);
    store.foreign = ['10.0.0.8', '10.0.0.9'];
    assert.equal(text(await addresses.allocate(owner(1))), '10.0.0.10');
    assert.deepEqual(addresses.usage(), [{ range: cidrs('10.0.0.8/30')[0], size: 4, used: 1, resting: 2 }]);
    assert.equal(addresses.find(ip('10.0.0.8')), undefined);
    assert.equal(text(await addresses.allocate(owner(2))), '10.0.0.11');
    await assert.rejects(addresses.allocate(owner(3)), /2 of 4 used, 2 resting/);
    // After the quarantine they are tried again.
    now += 10_000;
    store.foreign = ['10.0.0.8'];
    assert.equal(text(await addresses.allocate(owner(3))), '10.0.0.9');
  });

  it('reports how many addresses others hold, without trying one twice, also without a quarantine', async () => {
    const addresses = ipam(['10.0.0.8/30'], 0);
    store.foreign = ['10.0.0.8', '10.0.0.9', '10.0.0.10', '10.0.0.11'];
    await assert.rejects(addresses.allocate(owner(1)), (error: unknown) => {
      assert.ok(error instanceof NoAddressError);
      assert.match(error.message, /4 held by others in the store/);
      return true;
    });
    assert.equal(addresses.get(owner(1)), undefined);
    store.foreign = [];
    assert.equal(text(await addresses.allocate(owner(1))), '10.0.0.8');
  });

  it('refuses a requested address that the store holds for another owner', async () => {
    const addresses = ipam(['10.0.0.8/30']);
    store.foreign = ['10.0.0.9'];
    await assert.rejects(addresses.allocate(owner(1), ip('10.0.0.9')), (error: unknown) => {
      assert.ok(error instanceof NoAddressError);
      assert.match(error.message, /10\.0\.0\.9 is held by node n2/);
      return true;
    });
    assert.equal(addresses.get(owner(1)), undefined);
  });

  it('reports once that it is nearly full, and again only after a fifth was free', async () => {
    const addresses = ipam(['10.0.2.0/28', '10.0.3.0/30'], 0); // 20 addresses
    const held: Allocation[] = [];
    const fill = async (count: number) => {
      while (held.length < count) held.push(await addresses.allocate(owner(held.length)));
    };
    const empty = async (count: number) => {
      while (held.length > count) {
        const allocation = held.pop()!;
        await addresses.release(allocation);
        addresses.startQuarantine(allocation.addresses[0]);
      }
    };
    await fill(17);
    assert.deepEqual(nearlyFull, []);
    await fill(20);
    assert.deepEqual(nearlyFull, [{ free: 2, size: 20 }]);
    await empty(16);
    await fill(18);
    assert.equal(nearlyFull.length, 1);
    await empty(14);
    await fill(18);
    assert.deepEqual(nearlyFull, [
      { free: 2, size: 20 },
      { free: 2, size: 20 },
    ]);
  });

  it('reports at the start and after a change of ranges that it is nearly full', async () => {
    const addresses = ipam(['10.0.2.0/30', '10.0.3.0/30']);
    for (const n of [1, 2, 3, 4]) await addresses.allocate(owner(n));
    assert.deepEqual(nearlyFull, []);
    addresses.setRanges(cidrs('10.0.2.0/30'));
    assert.deepEqual(nearlyFull, [{ free: 0, size: 4 }]);
    ipam(['10.0.2.0/30']);
    assert.equal(nearlyFull.length, 2);
    ipam([]);
    assert.equal(nearlyFull.length, 2);
  });

  it('reports nothing while more than a tenth is free', async () => {
    const addresses = ipam(['10.0.2.0/28']);
    for (let n = 0; n < 14; n++) await addresses.allocate(owner(n));
    assert.deepEqual(nearlyFull, []); // 14 of 16 is less than 90 %
    await addresses.allocate(owner(14));
    assert.deepEqual(nearlyFull, [{ free: 1, size: 16 }]);
  });

  it('counts a range with nine tenths taken as nearly full', () => {
    const cases: [number, number, boolean][] = [
      [8, 10, false],
      [9, 10, true],
      [10, 10, true],
      [57, 64, false],
      [58, 64, true],
      [0, 0, false],
      [1, 1, true],
    ];
    for (const [used, size, expected] of cases)
      assert.equal(isNearlyFull({ used, size }), expected, `${used} of ${size}`);
  });

  it('stores that a pod has moved to another namespace, with the same address', async () => {
    const addresses = ipam(['10.0.0.0/29']);
    const held = await addresses.allocate(owner(1));
    const moved = await addresses.reassign(held, { ...owner(1), netns: '/run/netns/other' });
    assert.deepEqual(moved, { ...held, netns: '/run/netns/other' });
    assert.equal(addresses.get(owner(1)), moved);
    assert.equal(addresses.find(held.addresses[0]), moved);
    assert.deepEqual([...store.held.values()], [moved]);
    await assert.rejects(addresses.reassign(moved, owner(2)), /cannot change its container/);
    assert.equal(addresses.get(owner(2)), undefined);
    store.broken = true;
    await assert.rejects(addresses.reassign(moved, owner(1)), /disk is full/);
    assert.equal(addresses.get(owner(1)), moved);
  });
});
