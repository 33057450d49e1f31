import { IPPrefix } from 'bgp-js/ip';
import {
  decodeAttributes,
  decodeMessage,
  encodeAttributes,
  encodeUpdate,
  isError,
  nlriLength,
} from 'bgp-js/wire';
import type { Benchmark } from './benchmark.ts';
import { LocalSpeaker } from './local-speaker.ts';
import { fastest, memoryGrowth, timed } from './memory.ts';
import { type BenchResult, limited, type Row, reported } from './result.ts';
import { RouteSpace } from './routes.ts';
import { tableBytes } from './tables.ts';

/** UPDATEs of the codec's runs. */
const MESSAGES = 20_000;
const ROUNDS = 5;

/** Limits of memory in octets, which do not depend on the machine. */
const LIMITS = { route: 110, path: 64, client: 16_384 };

/** UPDATEs with seven prefixes and their own set of attributes each. */
function someUpdates(count: number): Uint8Array[] {
  const space = new RouteSpace(count * 7, 24);
  return Array.from({ length: count }, (_, index) =>
    space.announce({
      from: index * 7,
      to: index * 7 + 7,
      version: index + 1,
      nextHop: '10.201.0.1',
      asPath: [100_000 + index],
    }),
  );
}

/** Decodes all of an UPDATE into objects; returns a sum, so that the compiler cannot omit the work. */
function decodeAll(bytes: Uint8Array): number {
  const message = decodeMessage(bytes);
  if (isError(message) || message.type !== 'update') throw new Error('a message is malformed');
  let sum = decodeAttributes(message.attributes).localPref ?? 0;
  for (let at = 0; at < message.nlri.length; at += nlriLength(message.nlri[at])) {
    sum += IPPrefix.readNlri(message.nlri, at, 4).address.value;
  }
  return sum;
}

function codecRows(): Row[] {
  const updates = someUpdates(MESSAGES);
  const octets = updates.reduce((sum, { length }) => sum + length, 0);
  let sum = 0;
  const decode = fastest(ROUNDS, () => {
    for (const update of updates) sum += decodeAll(update);
  });
  if (sum === 0) throw new Error('nothing was decoded');
  const nlri = updates[0].subarray(updates[0].length - 28);
  const withdrawn = new Uint8Array(0);
  const encode = fastest(ROUNDS, () => {
    for (let i = 0; i < MESSAGES; i++) {
      const attributes = encodeAttributes({
        origin: 'IGP',
        asPath: [{ type: 'sequence', ases: [100_000 + i] }],
        nextHop: '10.201.0.1',
        localPref: 100,
        communities: [i],
      });
      encodeUpdate(withdrawn, attributes, nlri);
    }
  });
  return [
    reported('codec: decode an UPDATE of 7 prefixes into objects, ns', (decode * 1e6) / MESSAGES),
    reported('codec: decode, ns an octet', (decode * 1e6) / octets),
    reported('codec: encode an UPDATE of 7 prefixes from objects, ns', (encode * 1e6) / MESSAGES),
  ];
}

/** A table of `count` routes from one neighbour, then from a second; no neighbour receives it. */
function ribRows(count: number): Row[] {
  const space = new RouteSpace(count, 24);
  const local = new LocalSpeaker();
  const first = local.establish(0);
  const table = tableBytes(space, [0, count]);
  const changed = tableBytes(space, [0, count], { base: count + 1 });
  const ns = (ms: number) => (ms * 1e6) / count;
  const insert = timed(() => local.send(first, table));
  const again = timed(() => local.send(first, table));
  const replace = timed(() => local.send(first, changed));
  // The second path of every route is compared with the first.
  const second = local.establish(1);
  const other = tableBytes(space, [0, count], { nextHop: '10.201.0.2', base: 2 * count + 1 });
  const decide = timed(() => local.send(second, other));
  const gone = Uint8Array.from(space.withdraw(0, count));
  const withdraw = timed(() => local.send(second, gone));
  return [
    reported('RIB: insert, ns a route', ns(insert)),
    reported('RIB: received again unchanged, ns a route', ns(again)),
    reported('RIB: replace, ns a route', ns(replace)),
    reported('RIB: a second path, decided, ns a route', ns(decide)),
    reported('RIB: withdraw, ns a route', ns(withdraw)),
  ];
}

/** The cost of passing a table on to `receivers` neighbours. */
function exportRows(count: number): Row[] {
  return [1, 100].map((receivers) => {
    const space = new RouteSpace(count, 24);
    const local = new LocalSpeaker();
    const sender = local.establish(0);
    for (let index = 1; index <= receivers; index++) local.establish(index);
    const table = tableBytes(space, [0, count]);
    const ms = timed(() => local.send(sender, table));
    const each = (ms * 1e6) / count / receivers;
    return reported(`through to ${receivers} client${receivers > 1 ? 's' : ''}, ns a route and client`, each);
  });
}

async function memoryRows(routes: number): Promise<Row[]> {
  const clients = 1000;
  return [
    limited(
      'memory: a route with a seventh of a set, octets',
      (await memoryGrowth('routes', routes)) / routes,
      LIMITS.route,
    ),
    limited(
      'memory: a further path with a seventh of a set, octets',
      (await memoryGrowth('paths', routes)) / routes,
      LIMITS.path,
    ),
    limited(
      'memory: an idle client, octets',
      (await memoryGrowth('clients', clients)) / clients,
      LIMITS.client,
    ),
  ];
}

async function run(values: Record<string, string | boolean | undefined>): Promise<BenchResult> {
  const routes = Number(values.routes);
  // A first pass, so that the measurement runs compiled code.
  ribRows(50_000);
  const rows = [...codecRows(), ...ribRows(routes), ...exportRows(Math.min(routes, 100_000))];
  rows.push(...(await memoryRows(routes)));
  return { rows, notes: [] };
}

export const micro: Benchmark = {
  name: 'micro',
  title: 'codec, RIB and memory, each alone in one process',
  options: { routes: { type: 'string', default: '500000' } },
  run,
};
