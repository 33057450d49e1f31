import assert from 'node:assert/strict';
import { describe, it } from 'mocha';
import { net } from '../addresses.ts';
import { run } from './namespaces.ts';
import { RouteLab, VIA_2 } from './route-lab.ts';

describe('RouteSync with many routes', () => {
  const lab = new RouteLab();

  it('recovers when the kernel dropped notifications', async function () {
    this.timeout(60_000);
    const sync = await lab.start();
    for (let i = 0; i < 30_000; i++) sync.set(net(`20.0.${i >> 8}.${i & 255}/32`), 20, VIA_2);
    await sync.settled();
    assert.equal(sync.counts().installed, 30_000);
    // Runs while this process is blocked, so that the socket's queue fills up.
    lab.namespace.ip('route flush proto 179');
    lab.namespace.ip('route add 20.1.0.0/16 via 10.0.0.2 proto 179');
    assert.equal(lab.shown('20.0.0.9/32').length, 0);
    sync.releaseStale();
    const isWhole = () => lab.shown('20.0.117.47/32').length === 1 && lab.shown('20.0.0.0/32').length === 1;
    await lab.until(isWhole, 'all routes are back');
    await sync.settled();
    assert.ok(sync.counts().overruns > 0, 'the queue was too small for the test');
    await lab.until(
      () =>
        run('ip', '-n', lab.namespace.name, 'route', 'show', 'proto', '179').split('\n').length === 30_001,
      'exactly ours',
    );
  });

  it('installs and deletes 100,000 routes', async function () {
    this.timeout(60_000);
    const sync = await lab.start();
    const prefixes = Array.from(
      { length: 100_000 },
      (_, i) => `20.${i >> 16}.${(i >> 8) & 255}.${i & 255}/32`,
    );
    for (const prefix of prefixes) sync.set(net(prefix), 20, VIA_2);
    await sync.settled();
    assert.equal(sync.counts().installed, 100_000);
    assert.equal(sync.counts().overruns, 0, 'its own changes cause no events');
    await sync.reconcile();
    assert.equal(sync.counts().writes, 100_000);
    for (const prefix of prefixes) sync.delete(net(prefix), 20);
    await sync.settled();
    assert.equal(sync.counts().routes, 0);
    assert.equal(lab.namespace.ip('route show proto 179'), '');
  });
});
