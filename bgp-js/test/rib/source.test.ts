import assert from 'node:assert/strict';
import { SourceTable } from '../../rib/source.ts';
import type { SourceId } from '../../rib/store/ids.ts';
import { makeSource } from './helpers.ts';

describe('SourceTable', () => {
  it('reuses an index only after many others', () => {
    const sources = new SourceTable('local');
    const { index } = makeSource(sources);
    sources.remove(index);
    const later = Array.from({ length: 200 }, () => makeSource(sources).index);
    assert.equal(later.includes(index), false);
  });

  it('keeps its indices small while sources come and go', () => {
    const sources = new SourceTable('local');
    for (let i = 0; i < 2000; i++) {
      const { index } = makeSource(sources);
      assert.ok(index < 256);
      sources.remove(index);
    }
  });

  it('gives a new source no index that is still charged with octets of an old one', () => {
    const charged = new Set<SourceId>();
    const sources = new SourceTable('local', (index) => charged.has(index));
    for (let i = 0; i < 600; i++) {
      const { index } = makeSource(sources);
      assert.equal(charged.has(index), false);
      charged.add(index);
      sources.remove(index);
    }
  });
});
