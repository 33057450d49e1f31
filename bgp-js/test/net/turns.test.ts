/** What a host does when there is more to do than time: whose turn it is to be sent to, and who has gone. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { setImmediate as turn } from 'node:timers/promises';
import { KEEPALIVE } from '../../wire/message.ts';
import { Node, RawPeer, until } from './tcp.ts';

const PEERS = 20;
/** Changes of a route, one in every slice; far more than it takes to come round. */
const CHANGES = 400;

/** Sixty peers leave as `leave` has it, and are back at once; there is hardly time for anything in a slice. */
async function goAndComeBack(leave: (peers: readonly RawPeer[]) => Promise<unknown>): Promise<void> {
  const node = new Node('127.0.0.1', { sliceMs: 0.01 });
  const addresses = Array.from({ length: 60 }, (_, i) => `127.0.2.${i + 1}`);
  let peers: RawPeer[] = [];
  try {
    await node.host.start();
    for (const address of addresses) node.peer(address, { passive: true });
    peers = await Promise.all(addresses.map((address) => RawPeer.establish(node, address)));
    await leave(peers);
    peers.push(...(await Promise.all(addresses.map((address) => RawPeer.connect(node, address)))));
    const back = peers.slice(addresses.length);
    for (const peer of back) peer.send(peer.open(90), KEEPALIVE);
    await until(() => back.every(({ messages }) => messages.length > 1), 'all are back');
    assert.equal(node.countOf('refused'), 0);
    assert.equal(node.countOf('down'), addresses.length);
  } finally {
    for (const { socket } of peers) socket.destroy();
    await node.host.stop('the test is over');
  }
}

describe('a host whose peers all go at once', () => {
  it('takes each of them back at once, whether or not there was time to close its connection', async () => {
    // Not before the FINs are sent: until one is here the session is established, and a second one is refused.
    await goAndComeBack((peers) => Promise.all(peers.map(({ socket }) => once(socket.end(), 'finish'))));
  });

  it('does so too when they reset their connections', async () => {
    await goAndComeBack(async (peers) => {
      for (const { socket } of peers) socket.resetAndDestroy();
      await turn();
      await turn();
    });
  });
});

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
