/**
 * Runs a fuzz program against a speaker with one other session, the witness, and checks what must hold whatever a peer
 * sends. Throws an Error for what does not.
 */
import assert from 'node:assert/strict';
import { prefixFrom } from 'bgp-js/ip';
import { peerStatuses } from 'bgp-js/views/peer-view.ts';
import { listRoutes } from 'bgp-js/views/route-list.ts';
import { routeCounts, routeTo } from 'bgp-js/views/route-view.ts';
import { scanAttributes } from 'bgp-js/wire/attribute-scan.ts';
import type { Attributes } from 'bgp-js/wire/attributes.ts';
import { KEEPALIVE } from 'bgp-js/wire/message.ts';
import { type AttributeContext, AttributeScan } from 'bgp-js/wire/scan-result.ts';
import { encodeUpdate } from 'bgp-js/wire/update.ts';
import { Bench, type BenchConnection } from '../simulator/bench.ts';
import { greeting, openBytes } from '../simulator/far-end.ts';
import type { Random } from '../simulator/random.ts';
import { peerConfig } from '../simulator/simulation.ts';
import { configFor, FUZZ_POLICIES } from './features.ts';
import { FUZZED_AS, LOCAL_AS, type Program } from './program.ts';

const FUZZED = '10.0.0.9';
const WITNESS = '10.0.0.8';
const WITNESS_AS = 65008;
/** Routes of the witness: some within the space that the fuzzed peer uses, and the sentinel outside of it. */
const WITNESSED = ['10.0.0.0/24', '172.64.0.0/16', '198.128.128.0/24', '203.0.113.0/24'];
const SENTINEL = '203.0.114.0/24';

/** How bytes reach the speaker: each message whole or split anywhere, in a buffer filled with this octet. */
export interface Delivery {
  split: Random | null;
  poison: number;
}

/** The state at the end, which is the same for every delivery of a program. */
export interface Leftovers {
  /** The routes that the witness has received, with their attributes. */
  witness: Record<string, string>;
  fuzzed: { state: string; received: number; notification: string | null; complaints: string[] };
  routes: string[];
}

export function runProgram(program: Program, delivery: Delivery): Leftovers {
  const bench = new Bench({
    as: LOCAL_AS,
    routerId: '10.0.0.1',
    address: '10.0.0.1',
    clusterId: '10.0.0.7',
    maximumPaths: 2,
  });
  const as = program.ebgp ? FUZZED_AS : LOCAL_AS;
  const common = { passive: true, requirePolicy: false, acceptDefault: true };
  bench.speaker.setPolicies(FUZZ_POLICIES);
  const config = { ...common, ...configFor(program.features), address: FUZZED, as, client: !program.ebgp };
  bench.addPeer(peerConfig(config));
  bench.addPeer(peerConfig({ ...common, address: WITNESS, as: WITNESS_AS }));
  const witness = bench.establish(WITNESS, openBytes(WITNESS_AS, { identifier: 0x0a000008 }));
  bench.send(witness, witnessUpdate(WITNESSED));
  const fuzzed = deliverAll(bench, program, delivery);
  checkWitness(bench, witness);
  checkRib(bench, program);
  return remains(bench, witness, fuzzed);
}

function witnessUpdate(prefixes: string[]): Uint8Array {
  const attributes = Uint8Array.of(
    0x40,
    1,
    1,
    0,
    0x40,
    2,
    6,
    2,
    1,
    0,
    0,
    0xfd,
    0xf0,
    0x40,
    3,
    4,
    192,
    0,
    2,
    8,
  );
  const nlri = prefixes.map((prefix) => prefixFrom(prefix, 'prefix').toNlri());
  return encodeUpdate(new Uint8Array(0), attributes, Buffer.concat(nlri));
}

/** Brings the session up and sends all messages; reconnects half-way if the program says so. */
function deliverAll(bench: Bench, program: Program, delivery: Delivery): BenchConnection {
  const half = program.features.has('comes-back') ? program.messages.length >> 1 : 0;
  const parts = [program.messages.slice(0, half), program.messages.slice(half)].slice(half === 0 ? 1 : 0);
  let connection: BenchConnection | null = null;
  for (const messages of parts) {
    if (connection && !connection.end.closed) bench.drop(connection);
    connection = bench.connect(FUZZED) ?? connection;
    assert.ok(connection, 'a configured peer is accepted');
    deliver(bench, connection, { ...program, messages }, delivery);
  }
  assert.ok(connection);
  return connection;
}

function deliver(
  bench: Bench,
  connection: BenchConnection,
  program: Program,
  { split, poison }: Delivery,
): void {
  const pieces = split
    ? splitAnywhere(split, Buffer.concat([greeting(program.open), ...program.messages]))
    : [program.open, KEEPALIVE, ...program.messages];
  for (const piece of pieces) {
    // In the middle of a buffer with other octets around: a read past the end would change the result.
    const buffer = new Uint8Array(piece.length + 64).fill(poison);
    buffer.set(piece, 32);
    bench.send(connection, buffer.subarray(32, 32 + piece.length));
  }
}

function splitAnywhere(random: Random, bytes: Uint8Array): Uint8Array[] {
  const pieces: Uint8Array[] = [];
  for (let at = 0; at < bytes.length; ) {
    const size = random.pick([1, 2, 3, 17, 19, 20, 50, 200, 1000, 5000]);
    pieces.push(bytes.subarray(at, at + size));
    at += size;
  }
  return pieces;
}

/** The witness's session is up, its routes are in the RIB, its messages were well-formed, and a sentinel arrives. */
function checkWitness(bench: Bench, witness: BenchConnection): void {
  bench.send(witness, witnessUpdate([SENTINEL]));
  assert.ok(!witness.end.closed, `the other session was ended: ${JSON.stringify(witness.end.notification)}`);
  assert.deepEqual(witness.end.complaints, [], 'messages to the other session are well-formed');
  for (const prefix of [...WITNESSED, SENTINEL]) {
    const paths = routeTo(bench.speaker, prefix)?.paths ?? [];
    const path = paths.find(({ source }) => source.name === WITNESS);
    assert.ok(path && path.status !== 'unusable', `the route ${prefix} of the other session is usable`);
  }
  const context = {
    ebgp: true,
    fourOctetAs: true,
    localAs: WITNESS_AS,
    localId: 0x0a000008,
    clusterId: null,
  };
  for (const [prefix, hex] of witness.end.routes)
    checkSent(prefix, new Uint8Array(Buffer.from(hex, 'hex')), context);
}

/** What we send must be well-formed, and the scan and the decoder must agree on it. */
function checkSent(prefix: string, attributes: Uint8Array, context: AttributeContext): void {
  const scan = new AttributeScan();
  scanAttributes({ bytes: attributes, start: 0, end: attributes.length, context }, scan);
  assert.equal(scan.error, null, `what was sent for ${prefix} is malformed: ${scan.error?.text}`);
}

/** Counts agree with each other, and every prefix has at most one best path. */
function checkRib(bench: Bench, { features }: Program): void {
  const { speaker } = bench;
  const { routes, total } = listRoutes(speaker, 0, 100_000);
  const counts = routeCounts(speaker);
  assert.equal(total, routes.length);
  const paths = routes.flatMap((route) => route.paths);
  assert.equal(counts.paths, paths.length, 'the number of paths is that of the RIB');
  for (const { name, prefixes, state } of peerStatuses(speaker, bench.now)) {
    // Stale routes of a peer that is away belong to no session.
    if (features.has('restart') && state !== 'Established') continue;
    const own = paths.filter(({ source }) => source.name === name);
    const usable = own.filter(({ status }) => status !== 'unusable');
    const best = own.filter(({ status }) => status === 'best');
    const advertised = [prefixes.received, prefixes.accepted, prefixes.best];
    const found = [own.length, usable.length, best.length];
    assert.deepEqual(advertised, found, `received, accepted and best of ${name}`);
  }
  for (const route of routes) {
    const best = route.paths.filter(({ status }) => status === 'best').length;
    const usable = route.paths.some(({ status }) => status !== 'unusable');
    assert.equal(best, usable ? 1 : 0, `${route.prefix} has ${best} best paths`);
  }
  // A policy caches its result for sets.
  if (features.has('policy')) return;
  const attrs = new Set(
    paths.map(({ attributes, source }) => `${source.kind === 1} ${exported(attributes)}`),
  );
  assert.ok(counts.attributeSets <= attrs.size * 2 + 1, `${counts.attributeSets} attribute sets are held`);
}

const exported = (attributes: Attributes): string =>
  JSON.stringify(attributes, (_key, value) => {
    if (value instanceof Uint8Array) return Buffer.from(value).toString('hex');
    return typeof value === 'bigint' ? `${value}n` : value;
  });

function remains(bench: Bench, witness: BenchConnection, fuzzed: BenchConnection): Leftovers {
  const status = peerStatuses(bench.speaker, bench.now).find(({ address }) => address === FUZZED);
  const { notification } = fuzzed.end;
  const { routes } = listRoutes(bench.speaker, 0, 100_000);
  return {
    witness: Object.fromEntries([...witness.end.routes].sort(([a], [b]) => (a < b ? -1 : 1))),
    fuzzed: {
      state: status?.state ?? 'gone',
      received: status?.prefixes.received ?? 0,
      notification:
        notification &&
        `${notification.code}/${notification.subcode} ${Buffer.from(notification.data).toString('hex')}`,
      complaints: fuzzed.end.complaints,
    },
    routes: routes.map(
      ({ prefix, paths }) =>
        `${prefix}: ${paths.map(({ source, status: s, reason, attributes }) => `${source.name} ${s} (${reason}) ${exported(attributes)}`).join('; ')}`,
    ),
  };
}
