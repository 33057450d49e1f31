import assert from 'node:assert/strict';
import { join } from 'node:path';
import { peerConfig } from 'bgp-js';
import { InteropBench } from '../interop/bench.ts';
import { THEIR_PREFIX, weHave } from '../interop/rows/basics.ts';
import { OUR_AS } from '../interop/session-plan.ts';
import { repository } from '../lab/processes.ts';
import type { LoaderOptions } from '../programs/route-loader.ts';

/** Seconds. */
const HOLD_TIME = 3;
/** The load lasts long enough for a session that is not served meanwhile to expire. */
const LOAD_SECONDS = 4 * HOLD_TIME;
const ROUTES = 1_000_000;
/** Not the number of a cell of the interop matrix; addresses follow from it. */
const NUMBER = 240;
const [LOADER, SINK] = [21, 22];

const addressOf = (host: number) => `10.9.${NUMBER}.${host}`;
/** Clients of our speaker that connect from our namespace. */
const client = (name: string, host: number) =>
  peerConfig({
    name,
    address: addressOf(host),
    as: OUR_AS,
    client: true,
    passive: true,
    maximumPrefixes: 2 * ROUTES,
    maximumAttributeOctets: 2 ** 30,
  });

describe('a session with a hold time of 3 s', () => {
  let bench: InteropBench;

  before(async function () {
    this.timeout(60_000);
    bench = await InteropBench.open('bird', NUMBER);
    await bench.runIn('us', ['ip', 'addr', 'add', `${addressOf(LOADER)}/24`, 'dev', 'eth0']);
    await bench.runIn('us', ['ip', 'addr', 'add', `${addressOf(SINK)}/24`, 'dev', 'eth0']);
  });
  after(async function () {
    this.timeout(60_000);
    assert.deepEqual(await bench.close(), []);
  });

  /** The longest time in seconds without a message from an address, between `start` and `end` (since the epoch). */
  async function longestSilence(from: string, start: number, end: number): Promise<number> {
    const packets = await bench.decoded(`bgp and ip.src == ${from}`, ['frame.time_epoch']);
    const times = packets.map(([time]) => Number(time)).filter((time) => time > start && time < end);
    const marks = [start, ...times, end];
    return Math.max(...marks.slice(1).map((time, index) => time - marks[index]));
  }

  it('stays up by keepalives while another peer loads 1,000,000 routes again and again', async function () {
    this.timeout(240_000);
    await bench.bring({
      type: 'eBGP',
      holdTime: HOLD_TIME,
      announce: [{ prefix: THEIR_PREFIX }],
      // BIRD receives none of the routes: only keepalives hold the session.
      ours: { export: 'own' },
      speaker: { clusterId: '10.9.0.1' },
      neighbours: [client('loader', LOADER), client('sink', SINK)],
    });
    await weHave(bench, THEIR_PREFIX);
    const options: LoaderOptions = {
      target: { address: bench.ours.ipv4, port: 179, as: OUR_AS },
      network: '10.9',
      loader: (NUMBER - 1) * 256 + LOADER,
      sink: (NUMBER - 1) * 256 + SINK,
      routes: ROUTES,
      seconds: LOAD_SECONDS,
    };
    const start = Date.now() / 1000;
    const program = join(repository, 'labtests/programs/route-loader.ts');
    const rounds = await bench.runIn('us', [process.execPath, program, JSON.stringify(options)], 180_000);
    const end = Date.now() / 1000;
    assert.ok(end - start >= LOAD_SECONDS, rounds);

    const { state, holdTime, counters, lastError } = await bench.speaker.peer();
    assert.deepEqual([state, holdTime, counters.established, lastError], ['Established', HOLD_TIME, 1, null]);
    assert.equal(await bench.router.established(), true);
    assert.doesNotMatch(await bench.router.report(), /hold timer expired/i);
    for (const address of [bench.ours.ipv4, bench.theirs.ipv4]) {
      const silence = await longestSilence(address, start, end);
      assert.ok(silence < HOLD_TIME, `${address} was silent for ${silence.toFixed(1)} s`);
    }
  });
});
