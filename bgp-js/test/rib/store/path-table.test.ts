import assert from 'node:assert/strict';
import { AttributeTable } from '../../../rib/store/attribute-table.ts';
import { NO_ATTRS, NO_PATH, type PathId, type PrefixId, type SourceId } from '../../../rib/store/ids.ts';
import { PathState, PathTable, type Route, stateText } from '../../../rib/store/path-table.ts';
import { HASH_KEY, makeSet } from '../helpers.ts';

const [A, B] = [1 as SourceId, 2 as SourceId];
const PREFIX = 0 as PrefixId;

function scene() {
  const attributes = new AttributeTable(HASH_KEY);
  const attrs = makeSet(attributes, { med: 1 });
  const table = new PathTable();
  const add = (fields: Partial<Route> = {}): PathId =>
    table.add(PREFIX, {
      source: A,
      attrs,
      received: attrs,
      state: PathState.usable,
      addPathId: 0,
      ...fields,
    });
  return { attributes, attrs, table, add };
}

describe('PathTable', () => {
  it('finds the path of a source with a path identifier in a list', () => {
    const { table, add } = scene();
    const list = [
      add(),
      add({ addPathId: 7 }),
      add({ source: B }),
      add({ source: B, addPathId: 7 }),
      add({ source: B, addPathId: 8 }),
    ];
    for (let i = 1; i < list.length; i++) table.nexts.values[list[i - 1]] = list[i];
    const find = (source: SourceId, addPathId: number) => table.find(list[0], source, addPathId);
    assert.deepEqual([find(A, 0), find(A, 7), find(B, 0), find(B, 7), find(B, 8)], list);
    assert.equal(find(A, 8), NO_PATH);
  });

  it('gives a reused number no path identifier of its predecessor', () => {
    const { table, add } = scene();
    const first = add({ addPathId: 7 });
    assert.equal(table.addPathIdOf(first), 7);
    table.free(first);
    assert.equal(add(), first, 'the number is reused');
    assert.equal(table.addPathIdOf(first), 0);
  });

  it('makes the paths of one source stale, until each is confirmed', () => {
    const { table, add } = scene();
    const [first, second, other] = [add(), add(), add({ source: B })];
    const stale = () => [first, second, other].map((path) => table.isStale(path));
    assert.deepEqual(stale(), [false, false, false]);
    const epoch = table.epochOf(A);
    table.newGeneration(A);
    assert.deepEqual(stale(), [true, true, false]);
    assert.notEqual(table.epochOf(A), epoch);
    table.confirm(first);
    table.setState(second, PathState.asLoop);
    assert.deepEqual(stale(), [false, false, false]);
    assert.equal(table.stateOf(second), PathState.asLoop);
    table.makeStale(second);
    assert.deepEqual(stale(), [false, true, false]);
    assert.equal(table.isStale(add()), false, 'a new path is not stale');
  });

  it('keeps the multipath mark apart from state and staleness', () => {
    const { table, add } = scene();
    const path = add({ state: PathState.noPolicy });
    table.newGeneration(A);
    table.markMultipath(path);
    assert.deepEqual(
      [table.isMultipath(path), table.stateOf(path), table.isStale(path)],
      [true, PathState.noPolicy, true],
    );
    table.clearMultipath(path);
    assert.deepEqual(
      [table.isMultipath(path), table.stateOf(path), table.isStale(path)],
      [false, PathState.noPolicy, true],
    );
  });

  it('retains the received attributes only where they differ', () => {
    const { attributes, attrs, table, add } = scene();
    const received = makeSet(attributes, { med: 2 });
    const path = add();
    attributes.retain(attrs);
    table.keepReceived(path, attrs, attributes);
    assert.deepEqual([table.receivedOf(path), attributes.size], [attrs, 1]);
    table.keepReceived(path, received, attributes);
    table.keepReceived(path, received, attributes);
    assert.deepEqual([table.receivedOf(path), attributes.size], [received, 2]);
    table.keepReceived(path, attrs, attributes);
    assert.deepEqual([table.receivedOf(path), attributes.size], [attrs, 1]);
  });

  it('visits every path once, in slices', () => {
    const { table, add } = scene();
    const paths = Array.from({ length: 10 }, () => add());
    table.free(paths[3]);
    const visited: PathId[] = [];
    let slices = 0;
    let from = 0;
    do {
      from = table.each(from, 4, (path, prefix) => {
        visited.push(path);
        assert.equal(prefix, PREFIX);
      });
      slices++;
    } while (from !== 0);
    assert.deepEqual(
      visited,
      paths.filter((path) => path !== paths[3]),
    );
    assert.deepEqual([slices, table.size], [3, 9]);
    assert.equal(table.attrs.values[paths[3]], NO_ATTRS);
  });

  it('has a text for every state', () => {
    const texts = Object.values(PathState).map(stateText);
    assert.equal(new Set(texts).size, texts.length);
    assert.equal(
      texts.some((text) => text.startsWith('state ')),
      false,
    );
  });
});
