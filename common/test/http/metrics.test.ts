import assert from 'node:assert/strict';
import { Metrics } from '../../http/metrics.ts';

describe('metrics', () => {
  it('reads the state at each scrape, without what no longer exists', async () => {
    const peers = new Map([
      ['n2', 3],
      ['n3', 4],
    ]);
    const metrics = new Metrics({ processMetrics: false });
    metrics.gauge('peer_prefixes', 'Prefixes of a peer.', ['peer'], () =>
      [...peers].map(([peer, value]) => [value, peer]),
    );
    let total = 5;
    metrics.counter('updates_total', 'Updates.', [], () => [[total]]);
    const first = await metrics.text();
    assert.match(first, /^# TYPE peer_prefixes gauge$/m);
    assert.match(first, /^peer_prefixes\{peer="n3"\} 4$/m);
    assert.match(first, /^# TYPE updates_total counter$/m);
    assert.match(first, /^updates_total 5$/m);
    peers.delete('n3');
    total = 9;
    const second = await metrics.text();
    assert.doesNotMatch(second, /n3/);
    assert.match(second, /^updates_total 9$/m);
  });

  it('escapes label values, which peers may choose', async () => {
    const metrics = new Metrics({ processMetrics: false });
    metrics.gauge('x', 'X.', ['peer'], () => [[1, 'a"b\\c\nd']]);
    assert.match(await metrics.text(), /^x\{peer="a\\"b\\\\c\\nd"\} 1$/m);
  });

  it('prepares once per scrape, and lets the event loop turn while it writes', async () => {
    const metrics = new Metrics({ processMetrics: false });
    let prepared = 0;
    metrics.beforeScrape(function* () {
      yield;
      prepared++;
    });
    const many = Array.from({ length: 40_000 }, (_, index) => [index, `peer ${index}`] as const);
    for (const name of ['a', 'b']) metrics.gauge(name, 'Many.', ['peer'], () => many);
    let turns = 0;
    const timer = setInterval(() => turns++, 0);
    const text = await metrics.text();
    clearInterval(timer);
    assert.equal(prepared, 1);
    assert.equal(text.match(/^[ab]\{/gm)?.length, 80_000);
    assert.ok(turns > 1, `${turns} turns`);
  });

  it('writes infinite values in the format of Prometheus', async () => {
    const metrics = new Metrics({ processMetrics: false });
    metrics.gauge('most', 'Most.', [], () => [[Number.POSITIVE_INFINITY]]);
    assert.match(await metrics.text(), /^most \+Inf$/m);
  });

  it('includes memory, CPU and the delay of the event loop', async () => {
    const text = await new Metrics().text();
    for (const name of [
      'process_resident_memory_bytes',
      'process_cpu_seconds_total',
      'nodejs_eventloop_lag_seconds',
    ]) {
      assert.match(text, new RegExp(`^${name} `, 'm'));
    }
  });
});
