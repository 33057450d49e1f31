/** SpeakerHost: sessions over TCP on loopback. */
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { readFileSync } from 'node:fs';
import net from 'node:net';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { Speaker } from '../../index.ts';
import { type HostOptions, SpeakerHost } from '../../net/index.ts';
import { KEEPALIVE, type Message, shutdownMessage } from '../../wire/index.ts';
import { nlri } from '../speaker/bench.ts';
import { Node, RawPeer, until } from './tcp.ts';

/** The congestion controls that unprivileged processes may choose, and the host's default. */
const CONGESTION_CONTROLS = '/proc/sys/net/ipv4/tcp_allowed_congestion_control';
const SYSTEM_CONTROL = '/proc/sys/net/ipv4/tcp_congestion_control';

const A = '127.0.0.1';
const B = '127.0.0.2';
const C = '127.0.0.3';

let nodes: Node[] = [];
let raws: RawPeer[] = [];

async function start(address: string, options: Partial<HostOptions> = {}): Promise<Node> {
  const node = new Node(address, options);
  nodes.push(node);
  await node.host.start();
  return node;
}

async function raw(peer: Promise<RawPeer>): Promise<RawPeer> {
  raws.push(await peer);
  return peer;
}

afterEach(async () => {
  for (const { socket } of raws) socket.destroy();
  await Promise.all(nodes.map(({ host }) => host.stop('the test is over')));
  [nodes, raws] = [[], []];
});

describe('two hosts', () => {
  it('use the configured congestion control on both ends', async () => {
    const own = readFileSync(SYSTEM_CONTROL, 'utf8').trim();
    const others = readFileSync(CONGESTION_CONTROLS, 'utf8').trim().split(' ');
    const congestionControl = others.find((name) => name !== own);
    assert.ok(congestionControl, `the kernel has another one than ${own}`);
    const [a, b] = [await start(A, { congestionControl }), await start(B, { congestionControl })];
    a.peer(B, { port: b.host.port });
    b.peer(A, { passive: true });
    await until(() => a.status(B).state === 'Established', 'a session');
    const { stdout } = await promisify(execFile)('ss', ['-tinH', 'dst', B, 'or', 'src', B]);
    const sockets = stdout.split('\n').filter((line) => line.startsWith('\t'));
    assert.ok(sockets.length >= 2, stdout);
    for (const line of sockets) assert.match(line, new RegExp(`^\\t.*\\b${congestionControl}\\b`));
  });

  it('refuse a congestion control that the kernel does not know', async () => {
    const starting = new Node(A, { congestionControl: 'slowpoke' }).host.start();
    await assert.rejects(starting, /cannot set the congestion control slowpoke: no such file/);
  });

  it('that connect at the same moment end up with exactly one session, 20 times', async () => {
    let crossed = 0;
    for (let round = 0; round < 20; round++) {
      const [a, b] = [await start(A), await start(B)];
      for (const { host } of [a, b]) {
        const { speaker } = host;
        const accepted = speaker.accepted.bind(speaker);
        speaker.accepted = (...args) => {
          crossed++;
          return accepted(...args);
        };
      }
      a.peer(B, { port: b.host.port });
      b.peer(A, { port: a.host.port });
      const settled = () =>
        a.status(B).state === 'Established' &&
        b.status(A).state === 'Established' &&
        a.connections === 1 &&
        b.connections === 1;
      // Both End-of-RIB markers have arrived over the remaining session.
      const heard = () => a.countOf('end-of-rib') > 0 && b.countOf('end-of-rib') > 0;
      await until(() => settled() && heard(), `round ${round} settles`);
      const established = [a, b].map((node) => node.countOf('established'));
      assert.ok(settled());
      await Promise.all([a, b].map(({ host }) => host.stop('next round')));
      assert.deepEqual(established, [1, 1], `round ${round}: established exactly once`);
    }
    assert.ok(crossed > 20, `${crossed} connections for 20 sessions: some crossed`);
  });

  it('establish their session again after a crash', async () => {
    const a = await start(A);
    const first = await raw(RawPeer.connect(a, B).catch(() => RawPeer.connect(a, B)));
    await until(() => a.countOf('refused') > 0, 'an unknown peer is refused');
    first.socket.destroy();
    a.peer(B, { passive: true });
    const second = await raw(RawPeer.establish(a, B));
    second.socket.resetAndDestroy();
    await until(() => a.status(B).state === 'Active', 'the reset is noticed');
    assert.match(a.status(B).lastError?.text ?? '', /connection reset by peer/);
    await raw(RawPeer.establish(a, B));
    assert.equal(a.status(B).counters.established, 2);
  });
});

describe('connections', () => {
  it('from an unknown address are closed without a message', async () => {
    const a = await start(A);
    const stranger = await raw(RawPeer.connect(a, B));
    await until(() => stranger.ended !== null, 'the connection is closed');
    assert.deepEqual([stranger.octets, a.countOf('refused'), a.connections], [0, 1, 0]);
  });

  it('that are refused are reported in plain words and retried', async () => {
    const a = await start(A);
    const unused = await start(B);
    const { port } = unused.host;
    await unused.host.stop('');
    a.peer(B, { port, connectRetry: 1 });
    await until(() => a.status(B).lastError !== null, 'the attempt fails');
    assert.match(a.status(B).lastError?.text ?? '', /cannot connect: .*refused/);
    const attempts = () =>
      a.events.filter((event) => event.type === 'state' && event.to === 'Connect').length;
    await until(() => attempts() >= 3, 'it is retried');
  });

  it('of IPv4 over a dual-stack socket have their IPv4 address', async () => {
    const config = { as: 1, routerId: '10.0.0.1', address: '10.0.0.1', maximumPaths: 1 };
    const seen: string[] = [];
    const host = new SpeakerHost(new Speaker(config, Math.random), {
      listen: { address: '::', port: 0 },
      onEvent: (event) => event.type === 'refused' && seen.push(event.address),
    });
    await host.start();
    try {
      const socket = net.connect({ host: A, port: host.port, localAddress: B });
      await until(() => seen.length > 0, 'it is refused');
      socket.destroy();
      assert.deepEqual(seen, [B]);
    } finally {
      await host.stop('');
    }
  });
});

describe('a listener', () => {
  it('on an address in use rejects, and names the address', async () => {
    const a = await start(A);
    const second = new SpeakerHost(new Speaker(a.host.speaker.config, Math.random), {
      listen: { address: A, port: a.host.port },
    });
    await assert.rejects(
      second.start(),
      new RegExp(`cannot listen on ${A}:${a.host.port}: the address is in use`),
    );
    await second.stop('');
  });

  it('on an address that the machine does not have rejects', async () => {
    const config = { as: 1, routerId: '10.0.0.1', address: '10.0.0.1', maximumPaths: 1 };
    const host = new SpeakerHost(new Speaker(config, Math.random), {
      listen: { address: '192.0.2.77', port: 0 },
    });
    await assert.rejects(
      host.start(),
      /cannot listen on 192\.0\.2\.77:0: this machine does not have that address/,
    );
    await host.stop('');
  });
});

describe('stop', () => {
  it('delivers the shutdown message, then closes with FIN', async () => {
    const a = await start(A);
    a.peer(B, { passive: true });
    const peer = await raw(RawPeer.establish(a, B));
    await a.host.stop('back at noon');
    await until(() => peer.ended !== null, 'the connection ends');
    assert.equal(peer.ended, 'fin');
    const last = peer.messages.at(-1);
    assert.ok(last?.type === 'notification');
    assert.deepEqual([last.notification.code, last.notification.subcode], [6, 2]);
    assert.equal(shutdownMessage(last.notification), 'back at noon');
  });

  it('delivers it to more peers than one batch has', async () => {
    const a = await start(A);
    const addresses = Array.from({ length: 40 }, (_, i) => `127.0.1.${i + 1}`);
    for (const address of addresses) a.peer(address, { passive: true });
    const peers = await Promise.all(addresses.map((address) => raw(RawPeer.establish(a, address))));
    await a.host.stop('all of you');
    await until(() => peers.every(({ ended }) => ended !== null), 'the connections end');
    assert.ok(peers.every(({ messages }) => messages.at(-1)?.type === 'notification'));
  });

  it('delivers it also when input of the peer is unread', async () => {
    const a = await start(A);
    a.peer(B, { passive: true });
    const peer = await raw(RawPeer.establish(a, B));
    for (let i = 0; i < 20_000; i++) peer.send(KEEPALIVE);
    await a.host.stop('now');
    await until(() => peer.messages.at(-1)?.type === 'notification', 'the NOTIFICATION arrives');
  });

  it('resolves for sessions in every state, and leaves no handle open: the process exits', async () => {
    const program = join(import.meta.dirname, 'programs/start-and-stop.ts');
    const { stdout } = await promisify(execFile)(process.execPath, [program], { timeout: 50_000 });
    assert.equal(stdout, 'stopped\n');
  });

  it('may be called twice', async () => {
    const a = await start(A);
    await Promise.all([a.host.stop('one'), a.host.stop('two')]);
  });
});

describe('a peer that stops reading', () => {
  /** Octets in live array buffers. They are freed concurrently with the collector, so the lowest of several readings. */
  async function arrayBuffers(): Promise<number> {
    setFlagsFromString('--expose-gc');
    const collect = runInNewContext('gc') as () => void;
    let least = Number.POSITIVE_INFINITY;
    for (let i = 0; i < 5; i++) {
      collect();
      await sleep(20);
      least = Math.min(least, process.memoryUsage().arrayBuffers);
    }
    return least;
  }

  it('costs bounded memory, delays no other peer, and is closed when its hold timer expires', async () => {
    const a = await start(A);
    a.peer(B, { passive: true, holdTime: 3 });
    a.peer(C, { passive: true });
    const stalled = await raw(RawPeer.establish(a, B, 3));
    const reader = await raw(RawPeer.establish(a, C));
    stalled.socket.pause();
    const alive = setInterval(() => stalled.send(KEEPALIVE), 500);
    const ROUTES = 1000;
    /** Announces all routes again, 3 MB, and waits until the reader has them. */
    const round = async (n: number): Promise<void> => {
      const communities = Array.from({ length: 750 }, (_, i) => n * 1000 + i);
      for (let i = 0; i < ROUTES; i++) {
        a.host.speaker.originate(`10.${i >> 8}.${i & 255}.0/24`, {
          communities: [...communities, i],
          med: n,
        });
        if (i % 100 === 99) {
          a.host.wake();
          await sleep(0);
        }
      }
      const sentinel = nlri([`192.0.2.${n}/32`]);
      a.host.speaker.originate(`192.0.2.${n}/32`);
      a.host.wake();
      const has = (message: Message) =>
        message.type === 'update' && Buffer.compare(sentinel, message.nlri) === 0;
      await until(() => reader.messages.some(has), `round ${n} is sent`);
      reader.messages.length = 0;
    };
    try {
      for (let n = 0; n < 4; n++) await round(n);
      const early = await arrayBuffers();
      for (let n = 4; n < 24; n++) await round(n);
      const growth = (await arrayBuffers()) - early;
      assert.ok(reader.octets > 40e6, `the reader received ${reader.octets} octets`);
      assert.ok(growth < 16e6, `memory grew by ${growth} octets while 60 MB were announced`);
      assert.equal(a.status(B).state, 'Established', 'it still sends KEEPALIVE messages');
    } finally {
      clearInterval(alive);
    }
    await until(() => a.status(B).state !== 'Established', 'its hold timer expires');
    assert.match(a.status(B).lastError?.text ?? '', /hold timer expired, .*\(we sent NOTIFICATION 4\/0\)/);
    assert.equal(a.status(C).state, 'Established');
  });
});
