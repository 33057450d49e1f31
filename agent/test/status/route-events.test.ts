import assert from 'node:assert/strict';
import { mock } from 'node:test';
import { EventLog } from '@flatroute/common/process/events.ts';
import { createLogger } from '@flatroute/common/process/log.ts';
import { RouteEvents } from '../../status/route-events.ts';
import { net } from '../addresses.ts';

describe('RouteEvents', () => {
  beforeEach(() => mock.timers.enable({ apis: ['setTimeout'] }));
  afterEach(() => mock.timers.reset());

  it('reports a burst as one line for each kind, and installed routes not at all', () => {
    const log = new EventLog(createLogger({ level: 'silent', format: 'json' }));
    const events = new RouteEvents(log);
    for (let i = 0; i < 1000; i++)
      events.add({ prefix: net(`10.0.${i >> 8}.${i & 255}/32`), metric: 20, what: 'lost' });
    events.add({ prefix: net('10.1.0.0/16'), metric: 20, what: 'failed' });
    events.add({ prefix: net('10.2.0.0/16'), metric: 20, what: 'installed' });
    assert.equal(log.recent().length, 0);
    mock.timers.tick(1000);
    assert.deepEqual(
      log.recent().map(({ text }) => text),
      [
        '10.0.0.0/32 and 999 others: removed or changed by another program; restored',
        '10.1.0.0/16: not in the kernel: refused',
      ],
    );
  });
});
