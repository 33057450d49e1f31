/** What a speaker holds does not grow with peers that come and go. */
import assert from 'node:assert/strict';
import { peerConfig } from 'bgp-js-testing/index.ts';
import { encodeMessage, KEEPALIVE, type OpenMessage } from '../../wire/index.ts';
import { hex, message, update } from '../wire/bytes.ts';
import { Bench, HandPeer } from './bench.ts';

const CLIENT_AS = 65001;

/**
 * The number of entries of every table that can be reached from `root`: maps, sets, arrays and typed arrays, summed by
 * the names of the properties that lead there.
 */
function tableSizes(root: object): Map<string, number> {
  const sizes = new Map<string, number>();
  const seen = new Set<object>([root]);
  const queue: [string, object][] = [['', root]];
  const visit = (path: string, value: unknown): void => {
    if (typeof value !== 'object' || value === null || seen.has(value)) return;
    seen.add(value);
    queue.push([path, value]);
  };
  for (let next = queue.shift(); next; next = queue.shift()) {
    const [path, value] = next;
    const add = (count: number) => sizes.set(path, (sizes.get(path) ?? 0) + count);
    if (value instanceof Map) {
      add(value.size);
      for (const [key, entry] of value) {
        visit(`${path}.key`, key);
        visit(`${path}.*`, entry);
      }
    } else if (value instanceof Set) {
      add(value.size);
      for (const entry of value) visit(`${path}.*`, entry);
    } else if (Array.isArray(value)) {
      const entries = value.filter((entry) => entry !== undefined);
      add(entries.length);
      for (const entry of entries) visit(`${path}.*`, entry);
    } else if (ArrayBuffer.isView(value)) {
      add(value.byteLength);
    } else {
      for (const [name, entry] of Object.entries(value)) visit(`${path}.${name}`, entry);
    }
  }
  return sizes;
}

/** The OPEN of a peer with all capabilities that real ones have; it preserved its routes over a restart. */
function fullOpen(peer: HandPeer, restartSeconds: number): Uint8Array {
  const time = (0x8000 | restartSeconds).toString(16).padStart(4, '0');
  const capabilities: OpenMessage['capabilities'] = [
    { code: 1, value: hex('0001 00 01') },
    { code: 1, value: hex('0002 00 01') },
    { code: 2, value: hex('') },
    { code: 5, value: hex('0001 0001 0002') },
    { code: 6, value: hex('') },
    { code: 64, value: hex(`${time} 0001 01 80 0002 01 80`) },
    { code: 65, value: hex(CLIENT_AS.toString(16).padStart(8, '0')) },
    { code: 69, value: hex('0001 01 03') },
    { code: 70, value: hex('') },
    { code: 71, value: hex('0001 01 80 00003c') },
  ];
  return peer.open({ capabilities });
}

const refresh = (subtype: number) =>
  encodeMessage({ type: 'route-refresh', refresh: { afi: 1, subtype, safi: 1 } });
const notification = (code: number, subcode: number) =>
  encodeMessage({ type: 'notification', notification: { code, subcode, data: hex('') } });

/** The ways in which a peer ends its session. */
const ENDINGS: readonly ((bench: Bench, peer: HandPeer) => void)[] = [
  (bench, peer) => bench.speaker.disconnected(peer.id, 'connection reset', bench.now),
  (_, peer) => peer.send(notification(6, 2)),
  (_, peer) => peer.send(notification(6, 9)),
  (_, peer) => peer.send(message(6, '')),
  (_, peer) => peer.send(update('', '', '21 0a00000100')),
  (bench) => bench.advance(100_000),
  (bench, peer) => {
    // The peer restarts, confirms its routes, and then ends for good.
    bench.speaker.disconnected(peer.id, 'connection reset', bench.now);
    bench.advance(1000);
    live(bench, peer);
    peer.send(notification(6, 2));
  },
  (bench, peer) => {
    const found = [...bench.speaker.peers].find(({ name }) => name === peer.address);
    assert.ok(found, peer.address);
    bench.speaker.peerUnreachable(found, 'no answer', bench.now);
  },
];

/** A session from its OPEN through all kinds of messages; `peer` is still established then. */
function live(bench: Bench, peer: HandPeer): void {
  assert.ok(peer.connect(), `the speaker accepts ${peer.address}`);
  peer.send(fullOpen(peer, 30), KEEPALIVE);
  const number = Number(peer.address.split('.')[3]);
  const third = peer.address.split('.')[2];
  const path = `40 02 06 02 01 ${CLIENT_AS.toString(16).padStart(8, '0')} 40 03 04 0a01${hexByte(third)}${hexByte(number)}`;
  const attributes = `40 01 01 00 ${path}`;
  const community = `c0 08 04 ${hexByte(third)}${hexByte(number)} 0001`;
  peer.send(update('', `${attributes} ${community}`, '00000001 18 0aff01'));
  peer.send(update('', attributes, `00000001 20 0afe${hexByte(third)}${hexByte(number)} 00000002 18 0aff01`));
  // ORIGIN 7: the routes are withdrawn (RFC 7606).
  peer.send(update('', `40 01 01 07 ${path}`, '00000003 18 0aff02'));
  peer.send(update('', '', ''));
  peer.send(refresh(0), refresh(1), update('', attributes, '00000001 18 0aff01'), refresh(2), KEEPALIVE);
  bench.advance(100);
}

const hexByte = (value: number | string) => Number(value).toString(16).padStart(2, '0');

describe('a speaker with many short-lived peers', () => {
  it('holds as much after 1,000 of them as after 300', () => {
    const bench = new Bench();
    const tag = { set: { communities: { add: ['64512:1'] } }, action: 'accept' } as const;
    bench.speaker.setPolicies({
      policies: {
        in: {
          rules: [{ name: 'own', match: { prefixes: ['10.0.0.0/8 le 32'] }, ...tag }],
          otherwise: 'reject',
        },
        out: { rules: [{ name: 'tag', ...tag }], otherwise: 'accept' },
      },
    });
    const resident = bench.peer('10.0.0.2').establish({ holdTime: 0 });
    bench.speaker.addPeer(
      peerConfig({
        as: CLIENT_AS,
        range: '10.1.0.0/16',
        passive: true,
        families: ['ipv4-unicast', 'ipv6-unicast'],
        addPath: { receive: true, send: 2 },
        restartTime: 30,
        longLivedStaleTime: 60,
        notificationKeepsRoutes: false,
        importPolicy: 'in',
        exportPolicy: 'out',
        maximumPrefixesWarning: 0.5,
        maximumPrefixes: 4,
      }),
      bench.now,
    );
    bench.speaker.originate('10.244.1.0/26');
    let born = 0;
    const play = (count: number): Map<string, number> => {
      for (const until = born + count; born < until; born++) {
        const peer = new HandPeer(bench, `10.1.${born >> 8}.${born & 0xff}`, CLIENT_AS);
        live(bench, peer);
        ENDINGS[born % ENDINGS.length](bench, peer);
        resident.takeMessages();
      }
      // Longer than the restart time, the long-lived stale time and every waiting time.
      bench.advance(400_000);
      while (bench.speaker.routing.hasUnused) bench.speaker.routing.reclaim();
      assert.equal(bench.speaker.peers.size, 1, 'only the configured peer is left');
      return tableSizes(bench.speaker);
    };
    const early = play(300);
    const late = play(700);
    const grown = [...late].filter(([path, size]) => size > (early.get(path) ?? 0));
    assert.deepEqual(grown, []);
    assert.ok(bench.eventsOf('established').length > 1000, 'every peer had a session');
  });
});
