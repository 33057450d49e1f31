/** A host with more to do than fits into a slice: ended connections, and the order of sending. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { setImmediate as turn } from 'node:timers/promises';
import { KEEPALIVE } from '../../wire/message.ts';
import { Node, RawPeer, until } from './tcp.ts';

const PEERS = 20;
/** Changes of a route, one in every slice; far more than one round of sending takes. */
const CHANGES = 400;

/** Sixty peers close their connections with `leave` and reconnect at once; slices are too short for all of them. */
async function reconnect(leave: (peers: readonly RawPeer[]) => Promise<unknown>): Promise<void> {
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
    await until(() => back.every(({ messages }) => messages.length > 1), 'all have reconnected');
    assert.equal(node.countOf('refused'), 0);
    assert.equal(node.countOf('down'), addresses.length);
  } finally {
    for (const { socket } of peers) socket.destroy();
    await node.host.stop('the test is over');
  }
}

describe('a host whose peers all disconnect at once', () => {
  it('accepts each of them again at once, even before the end of its old connection is processed', async () => {
    // FINs are sent first: until one arrives the session is established, and a second connection is refused.
    await reconnect((peers) => Promise.all(peers.map(({ socket }) => once(socket.end(), 'finish'))));
  });

  it('does the same when they reset their connections', async () => {
    await reconnect(async (peers) => {
      for (const { socket } of peers) socket.resetAndDestroy();
      await turn();
      await turn();
    });
  });
});

describe('a host with more to send than fits into a slice', () => {
  it('sends to every peer, however much the peers before it take', async () => {
    const node = new Node('127.0.0.1');
    const peers: RawPeer[] = [];
    try {
      await node.host.start();
      for (let i = 0; i < PEERS; i++) {
        node.peer(`127.0.1.${i}`, { passive: true });
        peers.push(await RawPeer.establish(node, `127.0.1.${i}`));
      }
      await until(() => peers.every(({ octets }) => octets > 0), 'all received an OPEN');
      const before = peers.map(({ octets }) => octets);
      // Each reading of this clock takes 2 ms, so a slice is over after a few writes.
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
