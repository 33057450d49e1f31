import assert from 'node:assert/strict';
import { withSection } from '../../bench/document.ts';

describe('the document of benchmarks', () => {
  const document = 'Head\n<!-- bench:a -->\nold\n<!-- /bench:a -->\nTail\n';

  it('gets a result between the marks of its benchmark, and the same when written twice', () => {
    const once = withSection(document, 'a', 'new');
    assert.equal(once, 'Head\n<!-- bench:a -->\n\nnew\n\n<!-- /bench:a -->\nTail\n');
    assert.equal(withSection(once, 'a', 'new'), once);
  });

  it('must have the marks', () => {
    assert.throws(() => withSection(document, 'b', 'new'), /no place for b/);
  });
});
