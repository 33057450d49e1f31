import assert from 'node:assert/strict';
import { AdjRibOut, NOTHING } from '../../rib/adj-rib-out.ts';
import { Untold } from '../../rib/untold.ts';
import { makeRib, makeSet, makeSource, nlri } from './helpers.ts';

const ROUTES = 100;
const STRETCH = 10;

/** What a group announces, and what a member is yet to be told of that. */
function scene() {
  const { rib, attributes, sources } = makeRib();
  const { prefixes } = rib;
  const source = makeSource(sources).index;
  const set = makeSet(attributes, { med: 1 });
  const out = new AdjRibOut(prefixes, attributes, 1);
  const idOf = (i: number): number => prefixes.intern(nlri(`10.0.${i}.0/24`), 0);
  const announce = (i: number): void => out.put(idOf(i), 0, set, source);
  const withdraw = (i: number): void => out.put(idOf(i), 0, NOTHING, 0);
  for (let i = 0; i < ROUTES; i++) announce(i);
  const untold = new Untold(prefixes, out, STRETCH);
  /** Tells everything; returns what was told, in order. */
  const tell = (): number[] => {
    const told: number[] = [];
    for (let id = untold.next(0); id >= 0; id = untold.next(id + 1)) {
      told.push(id);
      untold.remove(id);
    }
    return told;
  };
  const all = Array.from({ length: ROUTES }, (_, i) => idOf(i));
  return { prefixes, out, untold, idOf, announce, withdraw, tell, all };
}

describe('what a member is yet to be told', () => {
  it('is nothing at first, then all that is announced, each once', () => {
    const { untold, tell, all } = scene();
    assert.deepEqual([untold.isEmpty, untold.next(0)], [true, -1]);
    untold.addAll(true);
    assert.equal(untold.isEmpty, false);
    assert.deepEqual(tell(), all);
    assert.ok(untold.isEmpty);
  });

  it('grows by what changes where it was told already, and not twice by what comes anyway', () => {
    const { untold, idOf, tell, all } = scene();
    untold.addAll(true);
    for (const id of all.slice(0, 15)) {
      assert.equal(untold.next(0), id);
      untold.remove(id);
    }
    untold.add(idOf(3));
    untold.add(idOf(50));
    assert.deepEqual(tell(), [idOf(3), ...all.slice(15)]);
  });

  it('has withdrawals for those only who may know the route', () => {
    for (const isNew of [true, false]) {
      const { untold, idOf, withdraw, tell, all } = scene();
      untold.addAll(isNew);
      withdraw(50);
      untold.add(idOf(50));
      assert.deepEqual(tell(), isNew ? all.filter((id) => id !== idOf(50)) : all);
    }
  });

  it('has what another group announces and this one does not, once even when this one announces it by then', () => {
    const { prefixes, out, untold, announce, withdraw, tell, all } = scene();
    const other = out.copy();
    withdraw(20);
    withdraw(70);
    untold.addAll(false);
    untold.addWithdrawn(other);
    announce(70);
    assert.deepEqual(tell(), all);
    other.clear(0, ROUTES);
    assert.equal(prefixes.size, ROUTES - 1);
  });

  it('holds on to its prefixes, until it is cleared a piece at a time', () => {
    const { prefixes, out, untold, withdraw, all } = scene();
    untold.addAll(false);
    for (const id of all) untold.next(id);
    for (let i = 0; i < ROUTES; i++) withdraw(i);
    assert.deepEqual([out.size, prefixes.size], [0, ROUTES]);
    let from = untold.clear(0, 30);
    assert.equal(prefixes.size, ROUTES - 30);
    while (from !== 0) from = untold.clear(from, 30);
    assert.equal(prefixes.size, 0);
    assert.ok(untold.isEmpty);
  });
});
