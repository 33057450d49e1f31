import assert from 'node:assert/strict';
import { seededRandom } from 'bgp-js-testing/simulator/random.ts';
import { IPPrefix } from '../../../ip/index.ts';
import { type GroupMember, type SlicedWork, UpdateGroup } from '../../../rib/out/update-group.ts';
import { Jobs } from '../../../rib/routing.ts';
import type { Source } from '../../../rib/source.ts';
import { NO_PATH, type PrefixId } from '../../../rib/store/ids.ts';
import { decodeAttributes } from '../../../wire/attributes.ts';
import { decodeMessage, isError } from '../../../wire/message.ts';
import { announce, makeRib, makeSet, makeSource, nlri, PROFILE } from '../helpers.ts';

/** A peer that keeps what it receives: prefix → MED. */
class Listener {
  readonly table = new Map<string, number>();
  endOfRibs = 0;
  messages = 0;
  member: GroupMember;
  readonly source: Source;

  constructor(member: GroupMember, source: Source) {
    this.member = member;
    this.source = source;
  }

  hear(parts: readonly Uint8Array[]): void {
    const bytes = Buffer.concat(parts);
    for (let at = 0; at < bytes.length; ) {
      const length = bytes.readUInt16BE(at + 16);
      const message = decodeMessage(bytes.subarray(at, at + length));
      assert.ok(!isError(message) && message.type === 'update');
      this.messages++;
      if (length === 23) this.endOfRibs++;
      for (const prefix of prefixesOf(message.withdrawn)) this.table.delete(prefix);
      const med = message.nlri.length > 0 ? (decodeAttributes(message.attributes).med ?? -1) : -1;
      for (const prefix of prefixesOf(message.nlri)) this.table.set(prefix, med);
      at += length;
    }
  }
}

function prefixesOf(bytes: Uint8Array): string[] {
  const list: string[] = [];
  for (let at = 0; at < bytes.length; at += 1 + ((bytes[at] + 7) >> 3)) {
    list.push(IPPrefix.readNlri(bytes, at, 4).toString());
  }
  return list;
}

function drain(group: UpdateGroup, listener: Listener): void {
  for (let i = 0; i < 10_000 && group.hasWork(listener.member); i++)
    listener.hear(group.pull(listener.member, 500));
  assert.equal(group.hasWork(listener.member), false, 'a member that pulls catches up');
}

describe('UpdateGroup', () => {
  it('packs many prefixes with shared attributes into few messages, and sends a single change at once', () => {
    const { rib, attributes, sources } = makeRib();
    const from = makeSource(sources, { kind: 3 });
    const group = new UpdateGroup(rib, PROFILE);
    const listener = new Listener(group.join(makeSource(sources).index), from);
    const attrs = makeSet(attributes, { med: 1 });
    for (let i = 0; i < 1000; i++) announce(rib, from, nlri(`20.${i >> 8}.${i & 255}.0/24`), attrs);
    drain(group, listener);
    assert.equal(listener.table.size, 1000);
    assert.equal(
      listener.messages,
      2,
      '1,000 prefixes of 4 octets fit one message of 4,096, and an End-of-RIB',
    );
    rib.withdraw(from.index, nlri('20.0.7.0/24'), 0);
    assert.ok(group.hasWork(listener.member));
    listener.hear(group.pull(listener.member, 65536));
    assert.equal(listener.table.size, 999);
  });

  it('hands all members the same octets of a change, even while End-of-RIB markers are held back', () => {
    const { rib, attributes, sources } = makeRib();
    const from = makeSource(sources, { kind: 3 });
    const gate = { closed: true };
    const group = new UpdateGroup(rib, PROFILE, { gate });
    const members = [0, 1, 2].map(() => group.join(makeSource(sources).index));
    announce(rib, from, nlri('20.0.0.0/24'), makeSet(attributes, { med: 1 }));
    const [, second, third] = members.map((member) => group.pull(member, 65536));
    assert.equal(second.length, 1);
    assert.equal(second, third);
    gate.closed = false;
    assert.ok(members.every((member) => group.pull(member, 65536)[0].length === 23));
  });

  it('does not advertise a route to its source, and advertises one to its former source', () => {
    const { rib, attributes, sources } = makeRib();
    const a = makeSource(sources, { kind: 3 });
    const b = makeSource(sources, { kind: 3 });
    const group = new UpdateGroup(rib, PROFILE);
    const listenA = new Listener(group.join(a.index), a);
    const listenB = new Listener(group.join(b.index), b);
    const bytes = nlri('10.1.0.0/16');
    announce(rib, a, bytes, makeSet(attributes, { med: 5 }));
    drain(group, listenA);
    drain(group, listenB);
    assert.equal(listenA.table.size, 0);
    assert.equal(listenB.table.get('10.1.0.0/16'), 5);
    announce(rib, b, bytes, makeSet(attributes, { med: 1, localPref: 200 }));
    drain(group, listenA);
    drain(group, listenB);
    assert.equal(listenA.table.get('10.1.0.0/16'), 1);
    assert.equal(listenB.table.size, 0, "b's copy of a's route is withdrawn");
  });

  for (const seed of [1, 2, 3, 4, 5, 6, 7, 8]) {
    it(`leaves every member with the Loc-RIB after any history (seed ${seed})`, () => {
      const { rib, attributes, sources } = makeRib();
      const random = seededRandom(seed);
      const pick = (below: number): number => Math.floor(random() * below);
      const jobs = new Jobs();
      const later = (work: SlicedWork): void => jobs.add((from) => work(from, 7));
      // A log of a few messages, so that members often fall behind, and slices of a few prefixes.
      const group = new UpdateGroup(rib, PROFILE, { logLimit: 2000, slice: 10, runLater: later });
      const listeners: Listener[] = [];
      const join = (): void => {
        const source = makeSource(sources, { kind: 3 });
        listeners.push(new Listener(group.join(source.index), source));
      };
      const removeOne = (): void => {
        const [removed] = listeners.splice(pick(listeners.length), 1);
        group.remove(removed.member);
        for (let at = rib.sweep(removed.source.index, 0, 50); at !== 0; )
          at = rib.sweep(removed.source.index, at, 50);
        sources.remove(removed.source.index);
      };
      for (let i = 0; i < 4; i++) join();
      for (let round = 0; round < 4000; round++) {
        const listener = listeners[pick(listeners.length)];
        const bytes = nlri(`10.${pick(200)}.0.0/16`);
        const action = pick(20);
        jobs.work();
        if (action < 9) {
          const attrs = makeSet(attributes, { med: pick(3), localPref: 100 + pick(3) });
          announce(rib, listener.source, bytes, attrs);
          attributes.releaseUnused(attrs);
        } else if (action < 14) rib.withdraw(listener.source.index, bytes, 0);
        else if (action < 18) listener.hear(group.pull(listener.member, 1 + pick(600)));
        else if (action === 18 && pick(20) === 0) group.refresh(listener.member, false);
        else if (action === 19 && pick(10) === 0) {
          if (listeners.length < 8 && pick(2) === 0) join();
          else if (listeners.length > 2) removeOne();
        }
      }
      for (const listener of listeners) drain(group, listener);
      for (const listener of listeners)
        assert.deepEqual(sorted(listener.table), sorted(expectedFor(listener)));
      for (const listener of listeners) assert.equal(listener.endOfRibs, 1);
      while (listeners.length > 0) removeOne();
      group.dispose();
      while (jobs.waiting) jobs.work();
      assert.equal(rib.prefixes.size, 0, 'nothing holds a prefix any more');
      assert.equal(attributes.size, 0, 'nothing holds attributes any more');

      function expectedFor(listener: Listener): Map<string, number> {
        const expected = new Map<string, number>();
        for (let id = 0 as PrefixId; id < rib.prefixes.end; id++) {
          if (!rib.prefixes.has(id)) continue;
          const best = rib.bestOf(id);
          if (best === NO_PATH || rib.sourceOf(best) === listener.source.index) continue;
          expected.set(rib.format(id), attributes.med.values[rib.attrsOf(best)]);
        }
        return expected;
      }
    });
  }

  it('sends a member that joins late every route once, and what changes meanwhile', () => {
    const { rib, attributes, sources } = makeRib();
    const from = makeSource(sources, { kind: 3 });
    const announceRoute = (i: number, med: number) =>
      announce(rib, from, nlri(`20.0.${i}.0/24`), makeSet(attributes, { med }));
    for (let i = 0; i < 100; i++) announceRoute(i, i);
    // The group is made after the routes as well.
    const group = new UpdateGroup(rib, PROFILE, { slice: 10 });
    drain(group, new Listener(group.join(makeSource(sources).index), from));
    const late = new Listener(group.join(makeSource(sources).index), from);
    for (let round = 0; group.hasWork(late.member); round++) {
      if (round === 20) {
        announceRoute(1, 1001);
        announceRoute(99, 1099);
        rib.withdraw(from.index, nlri('20.0.0.0/24'), 0);
        rib.withdraw(from.index, nlri('20.0.98.0/24'), 0);
      }
      late.hear(group.pull(late.member, 1));
    }
    assert.equal(late.table.size, 98);
    const meds = [1, 2, 99].map((i) => late.table.get(`20.0.${i}.0/24`));
    assert.deepEqual(meds, [1001, 2, 1099]);
    assert.equal(
      late.messages,
      99 + 1 + 1 + 1,
      'all but 20.0.98.0/24, one again, one withdrawal, End-of-RIB',
    );
    assert.equal(late.endOfRibs, 1);
  });

  it('owes a member of another group the end of a refresh that it was owed there', () => {
    const { rib, attributes, sources } = makeRib();
    const source = makeSource(sources, { kind: 3 });
    announce(rib, source, nlri('20.0.0.0/24'), makeSet(attributes, { med: 1 }));
    const [from, to] = [PROFILE, { ...PROFILE, clusterId: 9 }].map((each) => new UpdateGroup(rib, each));
    const { index } = makeSource(sources);
    const before = from.join(index);
    while (from.hasWork(before)) from.pull(before, 65536);
    from.refresh(before, true);
    const member = to.join(index);
    to.takeOver(member, from, before);
    const parts: Uint8Array[] = [];
    while (to.hasWork(member)) parts.push(...to.pull(member, 65536));
    // ROUTE-REFRESH, subtype 2: the end (RFC 7313 §3.2).
    assert.deepEqual([...(parts.at(-1) ?? [])].slice(16), [0, 23, 5, 0, 1, 2, 1]);
  });

  it('keeps its memory bounded while a member does not read', () => {
    const { rib, attributes, sources } = makeRib();
    const from = makeSource(sources, { kind: 3 });
    const group = new UpdateGroup(rib, PROFILE, { logLimit: 10_000 });
    const slow = new Listener(group.join(makeSource(sources).index), from);
    const fast = new Listener(group.join(makeSource(sources).index), from);
    for (let round = 0; round < 2000; round++) {
      announce(rib, from, nlri(`10.${round % 50}.0.0/16`), makeSet(attributes, { med: round }));
      drain(group, fast);
    }
    assert.ok(slow.member.pending, 'the slow member has left the log');
    assert.ok(group.logOctets <= 10_000);
    drain(group, slow);
    assert.deepEqual(sorted(slow.table), sorted(fast.table));
    assert.ok(slow.messages < 100, 'it is sent the present state only, not the history');
  });

  it('keeps its log bounded when one of many members reads, and when all others are removed', () => {
    const { rib, attributes, sources } = makeRib();
    const from = makeSource(sources, { kind: 3 });
    const group = new UpdateGroup(rib, PROFILE, { logLimit: 50_000 });
    const fast = new Listener(group.join(makeSource(sources).index), from);
    const others = Array.from({ length: 300 }, () => group.join(makeSource(sources).index));
    const churn = (): number => {
      let most = 0;
      for (let round = 0; round < 3000; round++) {
        announce(rib, from, nlri(`10.${round % 50}.0.0/16`), makeSet(attributes, { med: round }));
        drain(group, fast);
        most = Math.max(most, group.logOctets);
      }
      return most;
    };
    assert.ok(churn() < 51_000);
    assert.ok(others.every(({ pending }) => pending));
    for (const other of others) group.remove(other);
    assert.ok(churn() < 51_000);
    assert.ok(group.logOctets < 20_000);
  });

  it('drops what all have read, and keeps what one has not read', () => {
    const { rib, attributes, sources } = makeRib();
    const from = makeSource(sources, { kind: 3 });
    const group = new UpdateGroup(rib, PROFILE);
    const fast = new Listener(group.join(makeSource(sources).index), from);
    const slow = new Listener(group.join(makeSource(sources).index), from);
    const churn = (readers: Listener[]): number => {
      let most = 0;
      for (let round = 0; round < 3000; round++) {
        announce(rib, from, nlri(`10.${round % 50}.0.0/16`), makeSet(attributes, { med: round }));
        for (const reader of readers) drain(group, reader);
        most = Math.max(most, group.logOctets);
      }
      return most;
    };
    assert.ok(churn([fast, slow]) < 32 * 1024, 'a few hundred messages at the most');
    assert.ok(churn([fast]) > 100 * 1024, 'all that the slow member has yet to read');
    assert.equal(slow.member.pending, null);
    drain(group, slow);
    assert.ok(group.logOctets < 32 * 1024, 'it is dropped once all have read it');
    assert.ok(churn([fast, slow]) < 32 * 1024);
    assert.deepEqual(sorted(slow.table), sorted(fast.table));
  });
});

const sorted = (table: Map<string, number>): [string, number][] =>
  [...table].sort(([a], [b]) => (a < b ? -1 : 1));
