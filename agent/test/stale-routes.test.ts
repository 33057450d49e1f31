import assert from 'node:assert/strict';
import { mock } from 'node:test';
import { EventLog } from '@flatroute/common/process/events.ts';
import { createLogger } from '@flatroute/common/process/log.ts';
import { StaleRoutes } from '../stale-routes.ts';

const endOfRib = (peer: string) => ({ type: 'end-of-rib', peer, family: 'ipv4-unicast' }) as const;
const turn = async (): Promise<void> => {
  for (let i = 0; i < 5; i++) await Promise.resolve();
};

describe('StaleRoutes', () => {
  let releases: number;
  let staleRoutes: StaleRoutes;

  beforeEach(() => {
    mock.timers.enable({ apis: ['setTimeout', 'Date'] });
    releases = 0;
    staleRoutes = new StaleRoutes({
      staleSeconds: 120,
      events: new EventLog(createLogger({ level: 'silent', format: 'json' })),
      release: async () => ++releases,
      now: () => Date.now(),
    });
  });
  afterEach(() => {
    staleRoutes.stop();
    mock.timers.reset();
  });

  it('removes stale routes when every peer has sent its whole table', async () => {
    staleRoutes.start([{ name: 'n2' }, { name: 'tor' }, { name: 'guests', range: '10.0.0.0/24' }]);
    staleRoutes.onEvent(endOfRib('n2'));
    await turn();
    assert.equal(releases, 0);
    staleRoutes.onEvent(endOfRib('tor'));
    await turn();
    assert.equal(releases, 1);
    staleRoutes.onEvent(endOfRib('tor'));
    mock.timers.tick(1_000_000);
    await turn();
    assert.equal(releases, 1);
  });

  it('stops waiting for peers after the limit', async () => {
    staleRoutes.start([{ name: 'n2' }]);
    mock.timers.tick(119_000);
    await turn();
    assert.equal(releases, 0);
    mock.timers.tick(2_000);
    await turn();
    assert.equal(releases, 1);
  });

  it('applies a changed limit', async () => {
    staleRoutes.start([{ name: 'n2' }]);
    mock.timers.tick(50_000);
    staleRoutes.setLimit(60);
    mock.timers.tick(9_000);
    await turn();
    assert.equal(releases, 0);
    mock.timers.tick(2_000);
    await turn();
    assert.equal(releases, 1);
  });

  it('removes stale routes at once without peers', async () => {
    staleRoutes.start([]);
    await turn();
    assert.equal(releases, 1);
  });

  it('removes nothing when the agent stops first', async () => {
    staleRoutes.start([{ name: 'n2' }]);
    staleRoutes.stop();
    mock.timers.tick(1_000_000);
    await turn();
    assert.equal(releases, 0);
  });
});
