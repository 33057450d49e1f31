/** Whose turn it is to be sent to when there is more to send than time. */
import assert from 'node:assert/strict';
import { setImmediate as turn } from 'node:timers/promises';
import { Node, RawPeer, until } from './tcp.ts';

const PEERS = 20;
/** Changes of a route, one in every slice; far more than it takes to come round. */
const CHANGES = 400;

describe('a host with more to send than time', () => {
  it('lets nobody wait for ever, however much those before it get', async () => {
    const node = new Node('127.0.0.1');
    const peers: RawPeer[] = [];
    try {
      await node.host.start();
      for (let i = 0; i < PEERS; i++) {
        node.peer(`127.0.1.${i}`, { passive: true });
        peers.push(await RawPeer.establish(node, `127.0.1.${i}`));
      }
      await until(() => peers.every(({ octets }) => octets > 0), 'all have been greeted');
      const before = peers.map(({ octets }) => octets);
      // Looking at this clock takes 2 ms, so that a slice is over after a few writes.
      let clock = node.host.now();
      Object.assign(node.host, { now: () => (clock += 2) });
      for (let i = 0; i < CHANGES; i++) {
        node.host.speaker.originate('10.244.1.0/26', { med: i });
        node.host.wake();
        await turn();
      }
      const got = peers.map(({ octets }, index) => octets - before[index]);
      assert.ok(Math.min(...got) > 0, `octets for each: ${got.join(' ')}`);
    } finally {
      for (const { socket } of peers) socket.destroy();
      await node.host.stop('the test is over');
    }
  });
});
