import assert from 'node:assert/strict';
import { peerConfig } from 'bgp-js-testing/index.ts';
import { REHEARSAL_RANGE, rehearse } from '../../net/index.ts';
import { until } from './tcp.ts';

/** How many sockets and listeners this process has. */
const handles = () => process.getActiveResourcesInfo().filter((name) => name.startsWith('TCP')).length;

const client = peerConfig({ range: REHEARSAL_RANGE, as: 64512, client: true });

describe('the rehearsal', function () {
  this.timeout(60_000);

  it('comes to its end, and leaves nothing open', async () => {
    const before = handles();
    await rehearse(client, 60_000);
    await until(() => handles() === before, 'all sockets are closed');
  });

  it('gives up when its time is over, and leaves nothing open either', async () => {
    const before = handles();
    await assert.rejects(rehearse(client, 0), /the rehearsal was not over after 0 ms/);
    await until(() => handles() === before, 'all sockets are closed');
  });
});
