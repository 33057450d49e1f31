/** The wall clock may be stepped, by NTP or by hand, while sessions run. */
import assert from 'node:assert/strict';
import { setImmediate as turn } from 'node:timers/promises';
import { Node, RawPeer, until } from './tcp.ts';

const A = '127.0.0.1';
const B = '127.0.0.2';
const C = '127.0.0.3';
const HOUR_MS = 3_600_000;

describe('sessions while the wall clock is stepped', () => {
  const { now } = Date;
  const peers: RawPeer[] = [];
  let node: Node;

  beforeEach(async () => {
    node = new Node(A);
    await node.host.start();
    for (const address of [B, C]) node.peer(address, { passive: true });
  });
  afterEach(async () => {
    Date.now = now;
    for (const { socket } of peers.splice(0)) socket.destroy();
    await node.host.stop('the test is over');
  });

  const step = (ms: number): void => {
    Date.now = () => now() + ms;
  };
  const establish = async (address: string, holdTime: number): Promise<RawPeer> => {
    const peer = await RawPeer.establish(node, address, holdTime);
    peers.push(peer);
    return peer;
  };

  it('stay up when it is stepped forward', async () => {
    await establish(B, 90);
    step(HOUR_MS);
    for (let i = 0; i < 50; i++) {
      node.host.wake();
      await turn();
    }
    assert.equal(node.status(B).state, 'Established');
    assert.equal(node.countOf('down'), 0);
  });

  it('end by their hold timer when it is stepped back', async () => {
    await establish(C, 3);
    step(-HOUR_MS);
    await until(() => node.countOf('down') > 0, 'the hold timer expires');
    assert.match(node.status(C).lastError?.text ?? '', /hold timer/i);
  });

  it('keep sending KEEPALIVE messages when it is stepped back', async () => {
    const peer = await establish(C, 3);
    step(-HOUR_MS);
    const before = peer.messages.length;
    await until(() => peer.messages.length > before, 'a KEEPALIVE is sent');
    assert.equal(peer.messages.at(-1)?.type, 'keepalive');
  });
});
