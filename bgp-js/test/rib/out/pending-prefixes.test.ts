import assert from 'node:assert/strict';
import { AdjRibOut, NOTHING } from '../../../rib/out/adj-rib-out.ts';
import { PendingPrefixes } from '../../../rib/out/pending-prefixes.ts';
import { makeRib, makeSet, makeSource, nlri } from '../helpers.ts';

const ROUTES = 100;
const STRETCH = 10;

/** What a group announces, and what a member is yet to be told of that. */
function scene() {
  const { rib, attributes, sources } = makeRib();
  const { prefixes } = rib;
  const source = makeSource(sources).index;
  const attrs = makeSet(attributes, { med: 1 });
  const out = new AdjRibOut(prefixes, attributes, 1);
  const idOf = (i: number): number => prefixes.intern(nlri(`10.0.${i}.0/24`), 0);
  const announce = (i: number): void => out.put(idOf(i), 0, attrs, source);
  const withdraw = (i: number): void => out.put(idOf(i), 0, NOTHING, 0);
  for (let i = 0; i < ROUTES; i++) announce(i);
  const pending = new PendingPrefixes(prefixes, out, STRETCH);
  /** Tells everything; returns what was told, in order. */
  const tell = (): number[] => {
    const advertised: number[] = [];
    for (let id = pending.next(0); id >= 0; id = pending.next(id + 1)) {
      advertised.push(id);
      pending.remove(id);
    }
    return advertised;
  };
  const all = Array.from({ length: ROUTES }, (_, i) => idOf(i));
  return { prefixes, out, untold: pending, idOf, announce, withdraw, tell, all };
}

describe('what a member is yet to be told', () => {
  it('is nothing at first, then all that is announced, each once', () => {
    const { untold: pending, tell, all } = scene();
    assert.deepEqual([pending.isEmpty, pending.next(0)], [true, -1]);
    pending.addAll(true);
    assert.equal(pending.isEmpty, false);
    assert.deepEqual(tell(), all);
    assert.ok(pending.isEmpty);
  });

  it('grows by what changes where it was told already, and not twice by what comes anyway', () => {
    const { untold: pending, idOf, tell, all } = scene();
    pending.addAll(true);
    for (const id of all.slice(0, 15)) {
      assert.equal(pending.next(0), id);
      pending.remove(id);
    }
    pending.add(idOf(3));
    pending.add(idOf(50));
    assert.deepEqual(tell(), [idOf(3), ...all.slice(15)]);
  });

  it('has withdrawals for those only who may know the route', () => {
    for (const isNew of [true, false]) {
      const { untold: pending, idOf, withdraw, tell, all } = scene();
      pending.addAll(isNew);
      withdraw(50);
      pending.add(idOf(50));
      assert.deepEqual(tell(), isNew ? all.filter((id) => id !== idOf(50)) : all);
    }
  });

  it('has what another group announces and this one does not, once even when this one announces it by then', () => {
    const { prefixes, out, untold: pending, announce, withdraw, tell, all } = scene();
    const other = out.copy();
    withdraw(20);
    withdraw(70);
    pending.addAll(false);
    pending.addWithdrawn(other);
    announce(70);
    assert.deepEqual(tell(), all);
    other.clear(0, ROUTES);
    assert.equal(prefixes.size, ROUTES - 1);
  });

  it('holds on to its prefixes, until it is cleared a piece at a time', () => {
    const { prefixes, out, untold: pending, withdraw, all } = scene();
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
