import assert from 'node:assert/strict';
import { AdjRibOut, PreviousAdjRibOut } from '../../../rib/out/adj-rib-out.ts';
import { UpdateGroup } from '../../../rib/out/update-group.ts';
import { LOCAL_SOURCE, NO_ATTRS, type PrefixId } from '../../../rib/store/ids.ts';
import { announce, makeRib, makeSet, makeSource, nlri, PROFILE } from '../helpers.ts';

/** An Adj-RIB-Out with `width` slots a prefix. */
function scene(width = 1) {
  const { rib, attributes, sources } = makeRib();
  const { prefixes } = rib;
  const out = new AdjRibOut(prefixes, attributes, width);
  const { index: source } = makeSource(sources);
  const idOf = (i: number): PrefixId => prefixes.intern(nlri(`10.${i}.0.0/16`), 0);
  const setOf = (med: number) => makeSet(attributes, { med });
  return { prefixes, attributes, out, source, idOf, setOf };
}

describe('AdjRibOut', () => {
  it('counts routes, holds their prefixes and retains their attributes', () => {
    const { prefixes, attributes, out, source, idOf, setOf } = scene();
    const counts = () => [out.size, prefixes.size, attributes.size];
    out.put(idOf(1), 0, setOf(1), source);
    out.put(idOf(2), 0, setOf(1), source);
    assert.deepEqual(counts(), [2, 2, 1]);
    out.put(idOf(2), 0, setOf(2), source);
    assert.deepEqual(counts(), [2, 2, 2]);
    assert.deepEqual(out.get(idOf(2)), { attrs: setOf(2), source });
    out.put(idOf(1), 0, NO_ATTRS, LOCAL_SOURCE);
    assert.deepEqual(counts(), [1, 1, 1]);
    assert.deepEqual([out.get(idOf(1)), out.has(idOf(1))], [null, false]);
    out.put(idOf(1), 0, NO_ATTRS, LOCAL_SOURCE);
    assert.deepEqual(counts(), [1, 1, 1]);
  });

  it('has slots of their own for the paths of a prefix', () => {
    const { prefixes, out, source, idOf, setOf } = scene(3);
    const id = idOf(1);
    out.put(id, 0, setOf(1), source);
    out.put(id, 2, setOf(2), source);
    assert.deepEqual(
      [0, 1, 2].map((slot) => out.attrsOf(id, slot)),
      [setOf(1), NO_ATTRS, setOf(2)],
    );
    out.put(id, 0, NO_ATTRS, LOCAL_SOURCE);
    assert.ok(out.has(id));
    out.put(id, 2, NO_ATTRS, LOCAL_SOURCE);
    assert.deepEqual([out.has(id), out.size, prefixes.size], [false, 0, 0]);
  });

  it('is cleared in slices, and its copy stays', () => {
    const { prefixes, attributes, out, source, idOf, setOf } = scene(2);
    for (let i = 0; i < 50; i++) out.put(idOf(i), i % 2, setOf(i), source);
    const copy = out.copy();
    let slices = 0;
    for (let from = out.clear(0, 10); from !== 0; from = out.clear(from, 10)) slices++;
    assert.ok(slices >= 9);
    assert.deepEqual([out.size, copy.size, prefixes.size, attributes.size], [0, 50, 50, 50]);
    assert.equal(copy.attrsOf(idOf(7), 1), setOf(7));
    copy.clear(0, 1000);
    assert.deepEqual([copy.size, prefixes.size, attributes.size], [0, 0, 0]);
  });
});

describe('a previous Adj-RIB-Out', () => {
  it('matches the routes that the member was sent, and none of its own', () => {
    const { out, source, idOf, setOf } = scene();
    const route = { attrs: setOf(1), source };
    const [known, unknown] = [idOf(1), idOf(2)];
    out.put(known, 0, route.attrs, source);
    const previous = new PreviousAdjRibOut(out);
    assert.ok(previous.match(known, route, LOCAL_SOURCE));
    assert.ok(!previous.match(known, { attrs: setOf(2), source }, LOCAL_SOURCE));
    assert.ok(!previous.match(known, null, LOCAL_SOURCE));
    assert.ok(previous.match(unknown, null, LOCAL_SOURCE));
    // Routes of the member itself were not sent to it.
    assert.ok(previous.match(known, null, source));
    previous.invalidate(known);
    assert.ok(!previous.match(known, route, LOCAL_SOURCE));
  });
});

describe('the comparison of Loc-RIB and Adj-RIB-Out', () => {
  it('sends nothing for a route that changed and changed back', () => {
    const { rib, attributes, sources } = makeRib();
    const from = makeSource(sources, { kind: 3 });
    const group = new UpdateGroup(rib, PROFILE);
    const member = group.join(makeSource(sources).index);
    const drain = (): number => {
      let messages = 0;
      while (group.hasWork(member)) messages += group.pull(member, 65536).length;
      return messages;
    };
    const bytes = nlri('10.1.0.0/16');
    announce(rib, from, bytes, makeSet(attributes, { med: 1 }));
    assert.ok(drain() > 0);
    announce(rib, from, bytes, makeSet(attributes, { med: 2 }));
    announce(rib, from, bytes, makeSet(attributes, { med: 1 }));
    assert.equal(drain(), 0);
    rib.withdraw(from.index, bytes, 0);
    announce(rib, from, bytes, makeSet(attributes, { med: 1 }));
    assert.equal(drain(), 0);
  });

  it('keeps the slot of a path while others come and go (RFC 7911 §2)', () => {
    const { rib, attributes, sources } = makeRib();
    const group = new UpdateGroup(rib, { ...PROFILE, addPath: 2 });
    const member = group.join(makeSource(sources).index);
    const drain = (): void => {
      while (group.hasWork(member)) group.pull(member, 65536);
    };
    const bytes = nlri('10.1.0.0/16');
    const [worst, middle, best] = [100, 200, 300].map((localPref) => {
      const source = makeSource(sources, { kind: 3 });
      return { source, attrs: makeSet(attributes, { localPref }) };
    });
    for (const { source, attrs } of [worst, middle]) announce(rib, source, bytes, attrs);
    drain();
    const id = rib.prefixes.find(bytes, 0);
    const slots = () => [0, 1].map((slot) => group.advertised(id, slot)?.source);
    const before = slots();
    assert.deepEqual(new Set(before), new Set([worst.source.index, middle.source.index]));
    announce(rib, best.source, bytes, best.attrs);
    drain();
    const middleSlot = before.indexOf(middle.source.index);
    assert.equal(slots()[middleSlot], middle.source.index);
    assert.equal(slots()[1 - middleSlot], best.source.index);
  });
});
