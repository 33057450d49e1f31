import assert from 'node:assert/strict';
import { seededRandom } from 'bgp-js-testing/simulator/random.ts';
import { IPPrefix } from '../../../ip/index.ts';
import { Jobs, type Piecewise } from '../../../rib/jobs.ts';
import type { GroupMember } from '../../../rib/out/group-member.ts';
import { UpdateGroup } from '../../../rib/out/update-group.ts';
import type { Source } from '../../../rib/source.ts';
import { PathState } from '../../../rib/store/path-state.ts';
import { decodeAttributes } from '../../../wire/attributes.ts';
import { decodeMessage, isError } from '../../../wire/message.ts';
import { makeRib, makeSet, makeSource, nlri, TREATMENT } from '../helpers.ts';

/** A peer that believes what it is told: prefix → MED. */
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
  it('packs a burst with shared attributes into few messages, and sends a single change at once', () => {
    const { rib, attributes, sources } = makeRib();
    const from = makeSource(sources, { kind: 3 });
    const group = new UpdateGroup(rib, TREATMENT);
    const listener = new Listener(group.join(makeSource(sources).index), from);
    const attrs = makeSet(attributes, { med: 1 });
    for (let i = 0; i < 1000; i++)
      rib.announce(from.index, nlri(`20.${i >> 8}.${i & 255}.0/24`), 0, attrs, 0);
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

  it('gives all members the same octets of a change, also while End-of-RIB markers are held back', () => {
    const { rib, attributes, sources } = makeRib();
    const from = makeSource(sources, { kind: 3 });
    const gate = { closed: true };
    const group = new UpdateGroup(rib, TREATMENT, { gate });
    const members = [0, 1, 2].map(() => group.join(makeSource(sources).index));
    rib.announce(from.index, nlri('20.0.0.0/24'), 0, makeSet(attributes, { med: 1 }), 0);
    const [, second, third] = members.map((member) => group.pull(member, 65536));
    assert.equal(second.length, 1);
    assert.equal(second, third);
    gate.closed = false;
    assert.ok(members.every((member) => group.pull(member, 65536)[0].length === 23));
  });

  it('does not send a route back to its source, but tells the source when another took over', () => {
    const { rib, attributes, sources } = makeRib();
    const a = makeSource(sources, { kind: 3 });
    const b = makeSource(sources, { kind: 3 });
    const group = new UpdateGroup(rib, TREATMENT);
    const listenA = new Listener(group.join(a.index), a);
    const listenB = new Listener(group.join(b.index), b);
    const bytes = nlri('10.1.0.0/16');
    rib.announce(a.index, bytes, 0, makeSet(attributes, { med: 5 }), PathState.usable);
    drain(group, listenA);
    drain(group, listenB);
    assert.equal(listenA.table.size, 0);
    assert.equal(listenB.table.get('10.1.0.0/16'), 5);
    rib.announce(b.index, bytes, 0, makeSet(attributes, { med: 1, localPref: 200 }), PathState.usable);
    drain(group, listenA);
    drain(group, listenB);
    assert.equal(listenA.table.get('10.1.0.0/16'), 1);
    assert.equal(listenB.table.size, 0, "b's copy of a's route is withdrawn");
  });

  for (const seed of [1, 2, 3, 4, 5, 6, 7, 8]) {
    it(`leaves every member with the truth after any history (seed ${seed})`, () => {
      const { rib, attributes, sources } = makeRib();
      const random = seededRandom(seed);
      const pick = (below: number): number => Math.floor(random() * below);
      const jobs = new Jobs();
      const later = (run: Piecewise): void => jobs.add((from) => run(from, 7));
      // A log of a few messages, so that members fall behind all the time, and pieces of a few prefixes.
      const group = new UpdateGroup(rib, TREATMENT, { logLimit: 2000, slice: 10, later });
      const listeners: Listener[] = [];
      const join = (): void => {
        const source = makeSource(sources, { kind: 3 });
        listeners.push(new Listener(group.join(source.index), source));
      };
      const leave = (): void => {
        const [gone] = listeners.splice(pick(listeners.length), 1);
        group.leave(gone.member);
        for (let at = rib.sweep(gone.source.index, 0, 50); at !== 0; )
          at = rib.sweep(gone.source.index, at, 50);
        sources.remove(gone.source.index);
      };
      for (let i = 0; i < 4; i++) join();
      for (let round = 0; round < 4000; round++) {
        const listener = listeners[pick(listeners.length)];
        const bytes = nlri(`10.${pick(200)}.0.0/16`);
        const action = pick(20);
        jobs.work();
        if (action < 9) {
          const attrs = makeSet(attributes, { med: pick(3), localPref: 100 + pick(3) });
          rib.announce(listener.source.index, bytes, 0, attrs, PathState.usable);
          attributes.releaseUnused(attrs);
        } else if (action < 14) rib.withdraw(listener.source.index, bytes, 0);
        else if (action < 18) listener.hear(group.pull(listener.member, 1 + pick(600)));
        else if (action === 18 && pick(20) === 0) group.refresh(listener.member, false);
        else if (action === 19 && pick(10) === 0) {
          if (listeners.length < 8 && pick(2) === 0) join();
          else if (listeners.length > 2) leave();
        }
      }
      for (const listener of listeners) drain(group, listener);
      for (const listener of listeners) assert.deepEqual(sorted(listener.table), sorted(truthFor(listener)));
      for (const listener of listeners) assert.equal(listener.endOfRibs, 1);
      while (listeners.length > 0) leave();
      group.dispose();
      while (jobs.waiting) jobs.work();
      assert.equal(rib.prefixes.size, 0, 'nothing holds a prefix any more');
      assert.equal(attributes.size, 0, 'nothing holds attributes any more');

      function truthFor(listener: Listener): Map<string, number> {
        const truth = new Map<string, number>();
        for (let id = 0; id < rib.prefixes.end; id++) {
          if (!rib.prefixes.has(id)) continue;
          const best = rib.bestOf(id);
          if (best === 0 || rib.sourceOf(best) === listener.source.index) continue;
          truth.set(rib.format(id), attributes.med.values[rib.attrsOf(best)]);
        }
        return truth;
      }
    });
  }

  it('tells one who comes late everything once, and what changes meanwhile', () => {
    const { rib, attributes, sources } = makeRib();
    const from = makeSource(sources, { kind: 3 });
    const announce = (i: number, med: number) =>
      rib.announce(from.index, nlri(`20.0.${i}.0/24`), 0, makeSet(attributes, { med }), 0);
    for (let i = 0; i < 100; i++) announce(i, i);
    // The group itself comes late as well.
    const group = new UpdateGroup(rib, TREATMENT, { slice: 10 });
    drain(group, new Listener(group.join(makeSource(sources).index), from));
    const late = new Listener(group.join(makeSource(sources).index), from);
    for (let round = 0; group.hasWork(late.member); round++) {
      if (round === 20) {
        announce(1, 1001);
        announce(99, 1099);
        rib.withdraw(from.index, nlri('20.0.0.0/24'), 0);
        rib.withdraw(from.index, nlri('20.0.98.0/24'), 0);
      }
      late.hear(group.pull(late.member, 1));
    }
    assert.equal(late.table.size, 98);
    const meds = [1, 2, 99].map((i) => late.table.get(`20.0.${i}.0/24`));
    assert.deepEqual(meds, [1001, 2, 1099]);
    assert.equal(late.messages, 99 + 1 + 1 + 1, 'all but 20.0.98.0/24, one anew, one taken back, End-of-RIB');
    assert.equal(late.endOfRibs, 1);
  });

  it('owes one who comes from another group the end of a refresh that it owed there', () => {
    const { rib, attributes, sources } = makeRib();
    const from = makeSource(sources, { kind: 3 });
    rib.announce(from.index, nlri('20.0.0.0/24'), 0, makeSet(attributes, { med: 1 }), 0);
    const [old, young] = [TREATMENT, { ...TREATMENT, clusterId: 9 }].map(
      (each) => new UpdateGroup(rib, each),
    );
    const { index } = makeSource(sources);
    const was = old.join(index);
    while (old.hasWork(was)) old.pull(was, 65536);
    old.refresh(was, true);
    const member = young.join(index);
    young.takeOver(member, old, was);
    const parts: Uint8Array[] = [];
    while (young.hasWork(member)) parts.push(...young.pull(member, 65536));
    // ROUTE-REFRESH, subtype 2: the end (RFC 7313 §3.2).
    assert.deepEqual([...(parts.at(-1) ?? [])].slice(16), [0, 23, 5, 0, 1, 2, 1]);
  });

  it('keeps its memory bounded while a member does not read', () => {
    const { rib, attributes, sources } = makeRib();
    const from = makeSource(sources, { kind: 3 });
    const group = new UpdateGroup(rib, TREATMENT, { logLimit: 10_000 });
    const slow = new Listener(group.join(makeSource(sources).index), from);
    const fast = new Listener(group.join(makeSource(sources).index), from);
    for (let round = 0; round < 2000; round++) {
      rib.announce(from.index, nlri(`10.${round % 50}.0.0/16`), 0, makeSet(attributes, { med: round }), 0);
      drain(group, fast);
    }
    assert.ok(slow.member.behind, 'the slow member has left the log');
    assert.ok(group.logOctets <= 10_000);
    drain(group, slow);
    assert.deepEqual(sorted(slow.table), sorted(fast.table));
    assert.ok(slow.messages < 100, 'it is told the newest state only, not the history');
  });

  it('keeps its bound when one of many members reads, and when all others leave', () => {
    const { rib, attributes, sources } = makeRib();
    const from = makeSource(sources, { kind: 3 });
    const group = new UpdateGroup(rib, TREATMENT, { logLimit: 50_000 });
    const fast = new Listener(group.join(makeSource(sources).index), from);
    const others = Array.from({ length: 300 }, () => group.join(makeSource(sources).index));
    const churn = (): number => {
      let most = 0;
      for (let round = 0; round < 3000; round++) {
        rib.announce(from.index, nlri(`10.${round % 50}.0.0/16`), 0, makeSet(attributes, { med: round }), 0);
        drain(group, fast);
        most = Math.max(most, group.logOctets);
      }
      return most;
    };
    assert.ok(churn() < 51_000);
    assert.ok(others.every(({ behind }) => behind));
    for (const other of others) group.leave(other);
    assert.ok(churn() < 51_000);
    assert.ok(group.logOctets < 20_000);
  });

  it('keeps little of what all have read, and what one has not read until it has', () => {
    const { rib, attributes, sources } = makeRib();
    const from = makeSource(sources, { kind: 3 });
    const group = new UpdateGroup(rib, TREATMENT);
    const fast = new Listener(group.join(makeSource(sources).index), from);
    const slow = new Listener(group.join(makeSource(sources).index), from);
    const churn = (readers: Listener[]): number => {
      let most = 0;
      for (let round = 0; round < 3000; round++) {
        rib.announce(from.index, nlri(`10.${round % 50}.0.0/16`), 0, makeSet(attributes, { med: round }), 0);
        for (const reader of readers) drain(group, reader);
        most = Math.max(most, group.logOctets);
      }
      return most;
    };
    assert.ok(churn([fast, slow]) < 32 * 1024, 'a few hundred messages at the most');
    assert.ok(churn([fast]) > 100 * 1024, 'all that the slow member has yet to read');
    assert.equal(slow.member.behind, null);
    drain(group, slow);
    assert.ok(group.logOctets < 32 * 1024, 'it is dropped once it is read');
    assert.ok(churn([fast, slow]) < 32 * 1024);
    assert.deepEqual(sorted(slow.table), sorted(fast.table));
  });
});

const sorted = (table: Map<string, number>): [string, number][] =>
  [...table].sort(([a], [b]) => (a < b ? -1 : 1));
