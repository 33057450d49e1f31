/** How time and memory grow with the number of routes and of clients. */
import type { Benchmark } from './benchmark.ts';
import { RouteListener } from './listener.ts';
import { LocalSpeaker } from './local-speaker.ts';
import { memoryGrowth, timed } from './memory.ts';
import { type BenchResult, correct, exponent, limited, markdownTable, type Row, round } from './result.ts';
import { RouteSpace } from './routes.ts';
import { tableBytes, tableTruth } from './tables.ts';

/** The largest exponent that passes: nearly linear. */
const EXPONENT = 1.1;
/** The number of routes, whatever the number of clients. */
const ROUTES_OF_CLIENTS = 10_000;
const ROUNDS = 3;

/** One size: times in ms, and the number of wrong routes at the receiver at the end. */
interface Timing {
  size: number;
  load: number;
  withdraw: number;
  wrong: number;
}

/** With memory in octets; 0 when it is too little to distinguish from noise. */
interface Point extends Timing {
  memory: number;
}

/** `size` routes from one client to another. */
function routesTiming(size: number): Timing {
  const space = new RouteSpace(size, size > 500_000 ? 24 : 26);
  const local = new LocalSpeaker();
  const sender = local.establish(0);
  const listener = new RouteListener(space);
  local.establish(1, listener);
  const bytes = tableBytes(space, [0, size]);
  const load = timed(() => local.send(sender, bytes));
  const wrong = listener.differences(tableTruth(size));
  const gone = Uint8Array.from(space.withdraw(0, size));
  const withdraw = timed(() => local.send(sender, gone));
  return { size, load, withdraw, wrong: wrong + listener.present };
}

/** `size` clients that share a fixed number of routes, each of which goes to all others. */
function clientsTiming(size: number): Timing {
  const space = new RouteSpace(ROUTES_OF_CLIENTS, 26);
  const share = ROUTES_OF_CLIENTS / size;
  const local = new LocalSpeaker();
  const listener = new RouteListener(space);
  const clients = Array.from({ length: size }, (_, index) =>
    local.establish(index, index === 0 ? listener : null),
  );
  const range = (index: number): [number, number] => [
    Math.floor(index * share),
    Math.floor((index + 1) * share),
  ];
  const parts = (make: (from: number, to: number) => Uint8Array) =>
    clients.map((client, index) => [client, make(...range(index))] as const);
  const announced = parts((from, to) => tableBytes(space, [from, to]));
  const load = timed(() => local.sendTogether(announced));
  const wrong = listener.differences(tableTruth(ROUTES_OF_CLIENTS), ...range(0));
  const gone = parts((from, to) => Uint8Array.from(space.withdraw(from, to)));
  const withdraw = timed(() => local.sendTogether(gone));
  return { size, load, withdraw, wrong: wrong + listener.present };
}

/** The fastest of several runs. */
function best(measure: (size: number) => Timing, size: number): Timing {
  const timings = Array.from({ length: size >= 1_000_000 ? 1 : ROUNDS }, () => measure(size));
  return {
    size,
    load: Math.min(...timings.map(({ load }) => load)),
    withdraw: Math.min(...timings.map(({ withdraw }) => withdraw)),
    wrong: timings.reduce((sum, { wrong }) => sum + wrong, 0),
  };
}

interface Growing {
  /** The name of the size in tables. */
  name: 'routes' | 'clients';
  sizes: number[];
  measure: (size: number) => Timing;
  /** The smallest sizes that count: below them, constant costs dominate. */
  leastTime: number;
  leastMemory: number;
}

const GROWING: Growing[] = [
  {
    name: 'routes',
    sizes: [100, 1000, 10_000, 100_000, 300_000, 1_000_000],
    measure: routesTiming,
    leastTime: 1000,
    leastMemory: 100_000,
  },
  {
    name: 'clients',
    sizes: [10, 50, 100, 500, 1000, 1500, 2000],
    measure: clientsTiming,
    leastTime: 50,
    leastMemory: 1000,
  },
];

async function measureAll({ name, sizes, measure, leastMemory }: Growing, most: number): Promise<Point[]> {
  const points: Point[] = [];
  for (const size of sizes.filter((each) => each <= most)) {
    const memory = size >= leastMemory ? await memoryGrowth(name, size) : 0;
    points.push({ ...best(measure, size), memory });
  }
  return points;
}

function rows({ name, leastTime }: Growing, points: readonly Point[]): Row[] {
  const grown = (pick: (point: Point) => number, least: number) =>
    exponent(
      points
        .filter((point) => point.size >= least && pick(point) > 0)
        .map((point) => [point.size, pick(point)] as const),
    );
  return [
    limited(
      `${name}: exponent of the time to load`,
      grown(({ load }) => load, leastTime),
      EXPONENT,
    ),
    limited(
      `${name}: exponent of the time to withdraw`,
      grown(({ withdraw }) => withdraw, leastTime),
      EXPONENT,
    ),
    limited(
      `${name}: exponent of memory`,
      grown(({ memory }) => memory, 0),
      EXPONENT,
    ),
    correct(
      `${name}: wrong routes at the receiver`,
      points.reduce((sum, { wrong }) => sum + wrong, 0),
    ),
  ];
}

function tableOf(head: string, points: readonly Point[]): string {
  const body = points.map(({ size, load, withdraw, memory }) => [
    size.toLocaleString('en-US'),
    String(round(load)),
    String(round(withdraw)),
    memory === 0 ? '' : String(round(memory / 2 ** 20)),
  ]);
  return markdownTable([[head, 'load, ms', 'withdraw, ms', 'memory, MB'], ...body]);
}

async function run(values: Record<string, string | boolean | undefined>): Promise<BenchResult> {
  // A first pass, so that the measurement runs compiled code.
  routesTiming(50_000);
  clientsTiming(50);
  const result: BenchResult = { rows: [], notes: [] };
  for (const growing of GROWING) {
    const { name } = growing;
    const points = await measureAll(growing, Number(values[name]));
    result.rows.push(...rows(growing, points));
    const about = name === 'clients' ? 'clients, with 10,000 routes in all' : 'routes, one client to another';
    result.notes.push(tableOf(about, points));
  }
  return result;
}

export const growth: Benchmark = {
  name: 'growth',
  title: 'time and memory by the number of routes and of clients, in one process',
  options: { routes: { type: 'string', default: '1000000' }, clients: { type: 'string', default: '2000' } },
  run,
};
