import assert from 'node:assert/strict';
import { parseComparison } from '../../bench/compare.ts';
import { comparisonRows, comparisonTables } from '../../bench/reflector.ts';
import { bounded, correct, exponent, limited, percentile, printed, slope, told } from '../../bench/result.ts';

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

  it('takes no figure for good that failed or has nothing to be compared with', () => {
    assert.equal(bounded('m', null, 2, 1).ok, false);
    assert.equal(bounded('m', 2, null, 1).ok, false);
    assert.equal(correct('m', 1).ok, false);
    assert.equal(correct('m', 0).ok, true);
    assert.equal(told('m', 7).ok, true);
  });

  it('names in print what was missed', () => {
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

describe('the comparison of reflectors', () => {
  const line =
    '{"pods":{"bird":{"converge_s":2,"cpu_s":1,"peak_mb":18,"churn_p50_ms":1,"churn_p99_ms":2,"withdraw_s":1},' +
    '"frr":{"converge_s":0.1,"cpu_s":1,"peak_mb":50,"churn_p50_ms":50,"churn_p99_ms":60,"withdraw_s":0.08},' +
    '"gobgp":{"absent":true},' +
    '"ours":{"converge_s":0.05,"cpu_s":1,"peak_mb":90,"churn_p50_ms":2,"churn_p99_ms":3,"withdraw_s":null}}}';

  it('is judged by the peer that the bound names', () => {
    const rows = comparisonRows(parseComparison(`noise\n${line}\n`));
    const verdicts = rows.map(({ reference, ratio, ok }) => [reference, ratio, ok]);
    assert.deepEqual(verdicts, [
      [0.1, 0.5, true],
      [0.08, null, false],
      [1, 2, false],
      [2, 1.5, true],
      [100, 0.9, true],
    ]);
  });

  it('says in its tables what failed and what is absent', () => {
    const [text] = comparisonTables(parseComparison(line));
    assert.match(text, /^\| pods: 200 clients × 100 \| BIRD \| FRR \| GoBGP \| Flatroute \|$/m);
    assert.match(text, /^\| withdraw, s \| 1 \| 0.08 \| not installed \| not in time \|$/m);
  });

  it('says what came instead of JSON', () => {
    assert.throws(() => parseComparison('bird exited with 1'), /no JSON but: bird exited/);
  });
});
