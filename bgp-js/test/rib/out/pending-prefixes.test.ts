import assert from 'node:assert/strict';
import { AdjRibOut } from '../../../rib/out/adj-rib-out.ts';
import { PendingPrefixes } from '../../../rib/out/pending-prefixes.ts';
import { LOCAL_SOURCE, NO_ATTRS, type PrefixId } from '../../../rib/store/ids.ts';
import { makeRib, makeSet, makeSource, nlri } from '../helpers.ts';

const ROUTES = 100;
const SLICE = 10;

/** The Adj-RIB-Out of a group, and the pending prefixes of a member. */
function scene() {
  const { rib, attributes, sources } = makeRib();
  const { prefixes } = rib;
  const source = makeSource(sources).index;
  const attrs = makeSet(attributes, { med: 1 });
  const out = new AdjRibOut(prefixes, attributes, 1);
  const idOf = (i: number): PrefixId => prefixes.intern(nlri(`10.0.${i}.0/24`), 0);
  const announce = (i: number): void => out.put(idOf(i), 0, attrs, source);
  const withdraw = (i: number): void => out.put(idOf(i), 0, NO_ATTRS, LOCAL_SOURCE);
  for (let i = 0; i < ROUTES; i++) announce(i);
  const pending = new PendingPrefixes(prefixes, out, SLICE);
  /** Removes all pending prefixes; returns them in order. */
  const drain = (): PrefixId[] => {
    const sent: PrefixId[] = [];
    for (let id = pending.next(0); id >= 0; id = pending.next(id + 1)) {
      sent.push(id);
      pending.remove(id);
    }
    return sent;
  };
  const all = Array.from({ length: ROUTES }, (_, i) => idOf(i));
  return { prefixes, out, pending, idOf, announce, withdraw, drain, all };
}

describe('pending prefixes of a member', () => {
  it('are none at first, then all advertised prefixes, each once', () => {
    const { pending, drain, all } = scene();
    assert.deepEqual([pending.isEmpty, pending.next(0)], [true, -1]);
    pending.addAll(true);
    assert.equal(pending.isEmpty, false);
    assert.deepEqual(drain(), all);
    assert.ok(pending.isEmpty);
  });

  it('grow by a change that was sent before, and not by one that is still pending', () => {
    const { pending, idOf, drain, all } = scene();
    pending.addAll(true);
    for (const id of all.slice(0, 15)) {
      assert.equal(pending.next(0), id);
      pending.remove(id);
    }
    pending.add(idOf(3));
    pending.add(idOf(50));
    assert.deepEqual(drain(), [idOf(3), ...all.slice(15)]);
  });

  it('include withdrawals only for a member that may know the route', () => {
    for (const isNew of [true, false]) {
      const { pending, idOf, withdraw, drain, all } = scene();
      pending.addAll(isNew);
      withdraw(50);
      pending.add(idOf(50));
      assert.deepEqual(drain(), isNew ? all.filter((id) => id !== idOf(50)) : all);
    }
  });

  it('include routes that only another group advertises, once even if this group advertises them later', () => {
    const { prefixes, out, pending, announce, withdraw, drain, all } = scene();
    const other = out.copy();
    withdraw(20);
    withdraw(70);
    pending.addAll(false);
    pending.addWithdrawn(other);
    announce(70);
    assert.deepEqual(drain(), all);
    other.clear(0, ROUTES);
    assert.equal(prefixes.size, ROUTES - 1);
  });

  it('are held until they are cleared, a slice at a time', () => {
    const { prefixes, out, pending, withdraw, all } = scene();
    pending.addAll(false);
    for (const id of all) pending.next(id);
    for (let i = 0; i < ROUTES; i++) withdraw(i);
    assert.deepEqual([out.size, prefixes.size], [0, ROUTES]);
    let from = pending.clear(0, 30);
    assert.equal(prefixes.size, ROUTES - 30);
    while (from !== 0) from = pending.clear(from, 30);
    assert.equal(prefixes.size, 0);
    assert.ok(pending.isEmpty);
  });
});
