/**
 * Tables that come and go and single changes, played on loopback to a speaker of no consequence before the first peer
 * comes: what has run for a while is machine code, and the first table of a fresh process is as fast as any later one.
 */
import net from 'node:net';
import type { PeerConfig } from '../session/peer-config.ts';
import { Speaker } from '../speaker/speaker.ts';
import { type Attributes, encodeAttributes } from '../wire/attributes.ts';
import { CapabilityCode } from '../wire/capability.ts';
import { fourOctetAsValue, multiprotocolValue } from '../wire/capability-values.ts';
import { IPV4_UNICAST } from '../wire/families.ts';
import { KEEPALIVE } from '../wire/message.ts';
import { AS_TRANS, encodeOpen } from '../wire/open.ts';
import { encodeUpdate } from '../wire/update.ts';
import { SpeakerHost } from './host.ts';
import { PeerSocket } from './peer-socket.ts';
import { Sender } from './sender.ts';

/** Clients; the first one is who announces, unless all do. */
const CLIENTS = 32;
/** Prefixes of a table, which comes and goes several times, from one client and from all. */
const ROUTES = 6400;
/** Prefixes that share their attributes, table by table, and those in a message that withdraws. */
const SHARING = [7, 7, 1];
const WITHDRAWN_AT_ONCE = 800;
/** How often a single route comes and goes, or one of each client. */
const CHANGES = 400;
/**
 * Milliseconds of a slice in each act. In the first one time is always up before all is done, and its end shows what
 * the end of a session is: code is compiled for what was seen, and thrown away at the first sight of anything else.
 */
const ACTS = [0.05, undefined];
const LIMIT_MS = 5000;
/** Longer than a restarted speaker waits for anybody. */
const LONG_MS = 1e6;
const HOME = '127.0.0.1';
/** Where clients come from. */
export const REHEARSAL_RANGE = '127.0.0.0/16';
const NONE = new Uint8Array(0);

/**
 * A turn of the event loop, with a callback, as hosts have it: where theirs were the only ones, the first other one costs
 * the code of the loop.
 */
const pause = () =>
  new Promise<void>((resolve) => {
    setImmediate(resolve);
  });

/**
 * Plays everything through, which takes about a second. Rejects where that cannot be done, or not in `limitMs`.
 * @param client how clients are configured, as an object of the same making: from REHEARSAL_RANGE, with nothing that
 * protects their sessions and without policies.
 */
export async function rehearse(client: PeerConfig, limitMs = LIMIT_MS): Promise<void> {
  const end = performance.now() + limitMs;
  const turn = () => {
    if (performance.now() > end) throw new Error(`the rehearsal was not over after ${limitMs} ms`);
    return pause();
  };
  for (const sliceMs of ACTS) {
    const stage = new Stage(client, turn, sliceMs);
    try {
      await stage.open();
      await playAct(stage);
    } finally {
      await stage.close();
    }
  }
}

async function playAct(stage: Stage): Promise<void> {
  await stage.addClients(2);
  await stage.block();
  for (const [i, sharing] of SHARING.entries()) {
    await stage.tables(1, ROUTES, 24 + 2 * (i % 2), sharing);
    await stage.tidy();
  }
  await stage.addClients(CLIENTS);
  for (const [i, sharing] of SHARING.entries()) {
    await stage.tables(CLIENTS, ROUTES / CLIENTS, 24 + 2 * (i % 2), sharing);
    await stage.tidy();
  }
  for (let i = 0; i < CHANGES; i++) await stage.tables(i % 2 === 0 ? 1 : CLIENTS, 1, 26, 1, [0, 1, 1]);
  await stage.tidy();
}

/** A reflector with clients that read what they are told and do nothing about it. */
class Stage {
  private readonly host: SpeakerHost;
  private readonly client: PeerConfig;
  private readonly turn: () => Promise<void>;
  /** They write as a speaker's host does, so that this is rehearsed for sockets whose queue was in use as well. */
  private readonly clients: PeerSocket[] = [];

  constructor(client: PeerConfig, turn: () => Promise<void>, sliceMs: number | undefined) {
    this.client = client;
    this.turn = turn;
    const id = '10.0.0.1';
    const config = {
      as: client.as,
      routerId: id,
      address: id,
      clusterId: id,
      maximumPaths: 1,
      restarted: true,
    };
    const listen = { address: HOME, port: 0 };
    this.host = new SpeakerHost(new Speaker(config, Math.random), { listen, sliceMs });
  }

  async open(): Promise<void> {
    const { speaker } = this.host;
    const now = this.host.now();
    // The restart was long ago: there is nobody to wait for.
    for (const ago of [LONG_MS, 0]) speaker.tick(now - ago);
    speaker.addPeer(this.client, now);
    await this.host.start();
  }

  /** Brings up sessions until there are so many. */
  async addClients(count: number): Promise<void> {
    const { speaker, port } = this.host;
    while (this.clients.length < count) {
      const number = this.clients.length + 2;
      const socket = net.connect({ host: HOME, port, localAddress: `127.0.0.${number}`, noDelay: true });
      const client = new PeerSocket(
        0,
        socket.resume().on('error', () => {}),
        {},
        null,
      );
      this.clients.push(client);
      // Before it is connected, so that there is something that the kernel does not take.
      client.write([open(this.client.as, 0x0a000000 + number), KEEPALIVE]);
      while (socket.connecting) await this.turn();
    }
    const established = () => [...speaker.peers].filter((peer) => peer.established).length;
    while (established() < count) await this.turn();
    await this.rest(0);
  }

  /** Some clients announce so many routes each, all at once, tell them as `changes` says, and withdraw them. */
  async tables(
    clients: number,
    routes: number,
    length: number,
    sharing: number,
    changes = [0, 1],
  ): Promise<void> {
    const some = this.clients.slice(0, clients).entries();
    const senders = [...some].map(([i, client]) => ({ client, first: i * routes }));
    for (const change of changes) {
      for (const { client, first } of senders)
        client.write([announcements(first, routes, length, sharing, change)]);
      await this.rest(clients * routes);
    }
    for (const { client, first } of senders) client.write([withdrawals(first, routes, length)]);
    await this.rest(0);
  }

  /** One client is taken for one that does not read: what it is to be told goes to a socket that takes nothing. */
  async block(): Promise<void> {
    const { speaker } = this.host;
    const [id] = speaker.connections();
    const socket = new net.Socket().on('error', () => {});
    socket.cork();
    const wire = new PeerSocket(id, socket, {}, speaker.connectionOf(id) ?? null);
    wire.write([new Uint8Array(socket.writableHighWaterMark)]);
    speaker.originate('11.0.0.0/24');
    new Sender<PeerSocket>(() => speaker.blocked(id, true, this.host.now())).send(
      new Map([[id, wire]]),
      () => false,
    );
    socket.destroy();
    speaker.blocked(id, false, this.host.now());
    speaker.withdraw('11.0.0.0/24');
    this.host.wake();
    await this.rest(0);
  }

  /** Waits until there are so many routes, nothing waits to be sent, and the remains are cleared away. */
  private async rest(routes: number): Promise<void> {
    const { speaker } = this.host;
    const busy = () => [...speaker.connections()].some((id) => speaker.wantsToSend(id));
    while (speaker.routing.rib.paths !== routes || busy() || speaker.routing.hasRemains) await this.turn();
  }

  /**
   * Collects garbage, where the process was started so that this can be asked for: later collections come later, and
   * find less. It is done in the middle of a change, for code goes with the objects that it was compiled for.
   */
  async tidy(): Promise<void> {
    this.clients[1].socket.once('data', () => globalThis.gc?.());
    await this.tables(1, 1, 26, 1, [0]);
  }

  async close(): Promise<void> {
    for (const { socket } of this.clients) socket.destroy();
    while ([...this.host.speaker.connections()].length > 0) await pause();
    await this.host.stop(null);
  }
}

function open(as: number, identifier: number): Uint8Array {
  const capabilities = [
    { code: CapabilityCode.multiprotocol, value: multiprotocolValue(IPV4_UNICAST) },
    { code: CapabilityCode.fourOctetAs, value: fourOctetAsValue(as) },
  ];
  return encodeOpen({ version: 4, as: as > 0xffff ? AS_TRANS : as, holdTime: 90, identifier, capabilities });
}

function announcements(
  first: number,
  count: number,
  length: number,
  sharing: number,
  change: number,
): Uint8Array {
  const messages: Uint8Array[] = [];
  for (let i = 0; i < count; i += sharing) {
    const attributes: Attributes = {
      origin: 'IGP',
      asPath: [{ type: 'sequence', ases: [65001] }],
      nextHop: '192.0.2.2',
      localPref: 100 + change,
      communities: [first + i],
    };
    const nlri = prefixes(first + i, Math.min(sharing, count - i), length);
    messages.push(encodeUpdate(NONE, encodeAttributes(attributes), nlri));
  }
  return Buffer.concat(messages);
}

function withdrawals(first: number, count: number, length: number): Uint8Array {
  const messages: Uint8Array[] = [];
  for (let i = 0; i < count; i += WITHDRAWN_AT_ONCE) {
    messages.push(
      encodeUpdate(prefixes(first + i, Math.min(WITHDRAWN_AT_ONCE, count - i), length), NONE, NONE),
    );
  }
  return Buffer.concat(messages);
}

/** Prefixes of that length, 24 to 32, one after another from 11.0.0.0 on, in wire form. */
function prefixes(first: number, count: number, length: number): Uint8Array {
  const size = 1 + Math.ceil(length / 8);
  const octets = new Uint8Array(size * count);
  for (let i = 0; i < count; i++) {
    const address = (11 << 24) + ((first + i) << (32 - length));
    const all = [length, address >>> 24, address >>> 16, address >>> 8, address];
    octets.set(all.slice(0, size), size * i);
  }
  return octets;
}
