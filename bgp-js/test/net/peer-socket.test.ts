import assert from 'node:assert/strict';
import { once } from 'node:events';
import { readSync } from 'node:fs';
import net from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import { PeerSocket } from '../../net/peer-socket.ts';
import { descriptorOf } from '../../net/transport.ts';

/** Octets that tell where they were. */
function octets(count: number, from: number): Uint8Array {
  const all = new Uint8Array(count);
  for (let i = 0; i < count; i++) all[i] = (from + i) % 251;
  return all;
}

/** How many octets were there to be read. */
function readSome(fd: number, into: Buffer): number {
  try {
    return readSync(fd, into);
  } catch {
    return 0;
  }
}

describe('a connection of the speaker', () => {
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

  /** Both ends of a connection; nobody reads at the far one. */
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

  it('keeps the order of what the kernel takes and of what it does not', async () => {
    const { near, far } = await pair();
    const wire = new PeerSocket(1, near, {}, null);
    let sent = 0;
    let room = true;
    const write = (count: number) => {
      room = wire.write([octets(count, sent), octets(7, sent + count)]);
      sent += count + 7;
    };
    const read: Buffer[] = [];
    let length = 0;
    // The far end reads while the near end's event loop stands still: there is room, but not for what comes later.
    const drain = () => {
      const chunk = Buffer.alloc(1 << 20);
      for (let got = 1; got > 0; length += got) {
        got = readSome(descriptorOf(far), chunk);
        read.push(Buffer.from(chunk.subarray(0, got)));
      }
    };
    for (let i = 0; i < 5; i++) {
      while (room) write(100_000);
      drain();
      for (let k = 0; k < 5; k++) write(1000);
      if (near.writableNeedDrain) await once(near, 'drain');
      room = true;
      write(10);
    }
    while (length < sent) {
      drain();
      await delay(1);
    }
    const all = Buffer.concat(read);
    assert.equal(all.length, sent);
    assert.ok(all.equals(octets(sent, 0)));
  });

  it('does not write to who has its descriptor after it', async () => {
    const { near } = await pair();
    const wire = new PeerSocket(
      1,
      near.on('error', () => {}),
      {},
      null,
    );
    wire.write([octets(10, 0)]);
    const fd = descriptorOf(near);
    near.destroy();
    const others: net.Socket[] = [];
    let heir: { near: net.Socket; far: net.Socket } | null = null;
    while (!heir && others.length < 20) {
      const next = await pair();
      others.push(next.near);
      if (descriptorOf(next.near) === fd || descriptorOf(next.far) === fd) heir = next;
    }
    assert.ok(heir, 'the number is used again');
    wire.write([octets(10, 0)]);
    let heard = 0;
    for (const end of [heir.near, heir.far])
      end.on('data', (chunk: Buffer) => (heard += chunk.length)).resume();
    heir.near.write('x');
    heir.far.write('x');
    while (heard < 2) await delay(1);
    assert.equal(heard, 2);
  });
});
