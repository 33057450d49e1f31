import assert from 'node:assert/strict';
import { once } from 'node:events';
import net from 'node:net';
import { PeerSocket } from '../../net/peer-socket.ts';
import type { PeerConnection } from '../../session/peer.ts';

/** Not used by `write`. */
const NO_CONNECTION = {} as PeerConnection;

/** Octets whose values show their position in the stream. */
function octets(count: number, from: number): Uint8Array {
  const all = new Uint8Array(count);
  for (let i = 0; i < count; i++) all[i] = (from + i) % 251;
  return all;
}

describe('PeerSocket', () => {
  const open: { destroy(): void }[] = [];
  let server: net.Server;

  before(async () => {
    server = net.createServer({ pauseOnConnect: true }).listen(0, '127.0.0.1');
    await once(server, 'listening');
  });
  after(() => server.close());
  afterEach(() => {
    for (const socket of open.splice(0)) socket.destroy();
  });

  /** Both ends of a connection; the far one is not read. */
  async function pair(): Promise<{ near: net.Socket; far: net.Socket }> {
    const near = net.connect((server.address() as net.AddressInfo).port, '127.0.0.1');
    open.push(near);
    const [[far]] = (await Promise.all([once(server, 'connection'), once(near, 'connect')])) as [
      [net.Socket],
      unknown,
    ];
    open.push(far);
    return { near, far };
  }

  it('keeps the order of parts, and reports a full buffer', async () => {
    const { near, far } = await pair();
    const connection = new PeerSocket(1, near, {}, NO_CONNECTION);
    let sent = 0;
    const write = (count: number): boolean => {
      const parts = [octets(count, sent), octets(7, sent + count)];
      sent += count + 7;
      return connection.write(parts);
    };
    const received: Buffer[] = [];
    for (let round = 0; round < 5; round++) {
      while (write(100_000));
      for (let i = 0; i < 5; i++) assert.equal(write(1000), false, 'the buffer is still full');
      const drained = once(near, 'drain');
      far.on('data', (chunk: Buffer) => received.push(chunk)).resume();
      await drained;
      far.removeAllListeners('data').pause();
    }
    far.on('data', (chunk: Buffer) => received.push(chunk)).resume();
    near.end();
    await once(far, 'end');
    assert.ok(Buffer.concat(received).equals(octets(sent, 0)));
  });
});
