import assert from 'node:assert/strict';
import {
  bounded,
  correct,
  exponent,
  limited,
  percentile,
  printed,
  reported,
  slope,
} from '../../bench/result.ts';

describe('results of benchmarks', () => {
  it('judges a figure by its ratio to the reference', () => {
    assert.deepEqual(bounded('m', 3, 2, 1.5), {
      metric: 'm',
      ours: 3,
      reference: 2,
      ratio: 1.5,
      bound: 1.5,
      ok: true,
    });
    assert.equal(bounded('m', 3.01, 2, 1.5).ok, false);
    assert.equal(limited('m', 99.9, 100).ok, true);
    assert.equal(limited('m', 100.1, 100).ok, false);
  });

  it('does not pass a figure that failed or has no reference', () => {
    assert.equal(bounded('m', null, 2, 1).ok, false);
    assert.equal(bounded('m', 2, null, 1).ok, false);
    assert.equal(correct('m', 1).ok, false);
    assert.equal(correct('m', 0).ok, true);
    assert.equal(reported('m', 7).ok, true);
  });

  it('marks missed bounds in the printed table', () => {
    const lines = printed([limited('good', 1, 2), limited('bad', 3, 2)]).split('\n');
    assert.doesNotMatch(lines[1], /MISSED/);
    assert.match(lines[2], /bad .*MISSED$/);
  });

  it('takes percentiles by rank', () => {
    const values = Array.from({ length: 100 }, (_, index) => 100 - index);
    assert.equal(percentile(values, 0.5), 50);
    assert.equal(percentile(values, 0.99), 99);
    assert.equal(percentile(values, 1), 100);
  });

  it('finds the slope of a line and the exponent of a power', () => {
    assert.equal(slope([0, 1, 2].map((x) => [x, 3 * x + 1] as const)), 3);
    const cube = [1, 10, 100].map((x) => [x, 2 * x ** 3] as const);
    assert.ok(Math.abs(exponent(cube) - 3) < 1e-9);
  });
});
