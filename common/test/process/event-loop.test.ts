import assert from 'node:assert/strict';
import { createHistogram } from 'node:perf_hooks';
import { setTimeout as sleep } from 'node:timers/promises';
import { Metrics } from '../../http/metrics.ts';
import { EventLoopMonitor } from '../../process/event-loop.ts';

describe('the event-loop monitor', () => {
  const slices = createHistogram();
  const cpu = createHistogram();
  let monitor: EventLoopMonitor;

  before(() => {
    monitor = new EventLoopMonitor({ durations: slices, cpu });
  });
  after(() => monitor.close());

  it('reports zeros before the first slice', () => {
    assert.deepEqual(monitor.view().slice, { p50Ms: 0, p99Ms: 0, p999Ms: 0, maxMs: 0 });
  });

  it('measures a long turn as a delay of other work, without the sampling interval', async () => {
    await sleep(30);
    const end = performance.now() + 200;
    while (performance.now() < end);
    await sleep(30);
    const { p50Ms, maxMs } = monitor.view().delay;
    assert.ok(maxMs > 150, `${maxMs} ms`);
    assert.ok(p50Ms <= maxMs - 10, `${p50Ms} ms`);
  });

  it('reports quantiles of the slices of BGP work in the view and the metrics', async () => {
    for (let i = 0; i < 998; i++) slices.record(1_000_000);
    slices.record(5_000_000);
    slices.record(9_000_000);
    cpu.record(3_000_000);
    assert.equal(Math.round(monitor.view().sliceCpu.maxMs), 3);
    const { p50Ms, p99Ms, p999Ms, maxMs } = monitor.view().slice;
    const rounded = [p50Ms, p99Ms, p999Ms, maxMs].map((value) => Math.round(value));
    assert.deepEqual(rounded, [1, 1, 5, 9]);
    const metrics = new Metrics({ processMetrics: false });
    monitor.addMetrics(metrics);
    const text = await metrics.text();
    for (const quantile of ['0.5', '0.99', '0.999', '1']) {
      assert.match(text, new RegExp(`^flatroute_slice_seconds\\{quantile="${quantile}"\\} 0\\.00`, 'm'));
      assert.match(
        text,
        new RegExp(`^flatroute_event_loop_delay_seconds\\{quantile="${quantile}"\\} \\d`, 'm'),
      );
    }
  });
});
