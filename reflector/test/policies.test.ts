import assert from 'node:assert/strict';
import { randomInt } from 'node:crypto';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import http from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { json } from 'node:stream/consumers';
import { setTimeout as sleep } from 'node:timers/promises';
import type { PeerView, PlanView, PolicyView, StatusView } from '@flatroute/common/http/api-documents.ts';
import { createLogger } from '@flatroute/common/process/log.ts';
import { type PeerStatus, peerConfig, peerStatuses, routeCounts, Speaker } from 'bgp-js';
import { SpeakerHost } from 'bgp-js/net';
import { parseReflectorConfig } from '../config/load.ts';
import { Reflector } from '../reflector.ts';

const ROUTES = 100_000;
/** The prefix that the policies under test reject: 1,000 of the routes. */
const LAB = '10.1.0.0/16';

/** A reflector in this process, and peers on loopback, each with its own address. */
class Stage {
  readonly network = `127.${randomInt(16, 255)}.${randomInt(0, 255)}`;
  readonly hosts: SpeakerHost[] = [];
  reflector!: Reflector;
  socket = '';
  private folder = '';

  settings(rest: string) {
    return parseReflectorConfig(this.text(rest), 'reflector.yaml');
  }

  private text(rest: string): string {
    const head = `as: 64512\nrouterId: ${this.network}.1\nlisten: ${this.network}.1:1790\n`;
    const tail = `socket: ${this.socket}\nhttp: { listen: off }\nlog: { level: error }\n`;
    return `${head}${rest.replaceAll('NET', this.network)}\n${tail}`;
  }

  async start(rest: string): Promise<void> {
    this.folder = await mkdtemp(join(tmpdir(), 'flatroute-policies-'));
    this.socket = join(this.folder, 'rr.sock');
    this.reflector = await Reflector.start(
      this.settings(rest),
      createLogger({ level: 'silent', format: 'json' }),
    );
  }

  reload(rest: string): void {
    this.reflector.reload(this.settings(rest));
  }

  /** A peer that connects to the reflector and announces `routes` routes. */
  async peer(host: number, as: number, routes: number): Promise<SpeakerHost> {
    const address = `${this.network}.${host}`;
    const nextHop = `192.0.2.${host}`;
    const speaker = new Speaker({ as, routerId: address, address: nextHop, maximumPaths: 1 }, Math.random);
    // The reflector refuses loopback addresses as next hops.
    const rule = { name: 'next-hop', set: { nextHop }, action: 'accept' } as const;
    speaker.setPolicies({ policies: { out: { rules: [rule], otherwise: 'reject' } } });
    for (let i = 0; i < routes; i++) {
      const net = Math.floor(i / 1000);
      speaker.originate(`10.${net + 1}.${Math.floor((i % 1000) / 4)}.${(i % 4) * 64}/26`);
    }
    const end = new SpeakerHost(speaker, { listen: null, localAddress: address });
    const target = {
      address: `${this.network}.1`,
      port: 1790,
      as: 64512,
      connectRetry: 1,
      exportPolicy: 'out',
    };
    speaker.addPeer(peerConfig(target), end.now());
    this.hosts.push(end);
    await end.start();
    return end;
  }

  /** The reflector's dry run of a reload. */
  plan(rest: string): Promise<PlanView & { error?: string }> {
    return this.document('/v1/plan?file=new.yaml', this.text(rest));
  }

  async document<T>(path: string, body?: string): Promise<T> {
    const method = body === undefined ? 'GET' : 'POST';
    const request = http.request({ socketPath: this.socket, path, method }).end(body);
    const [response] = (await once(request, 'response')) as [http.IncomingMessage];
    return (await json(response)) as T;
  }

  async end(): Promise<void> {
    for (const host of this.hosts) await host.stop('done');
    await this.reflector?.stop();
    await rm(this.folder, { recursive: true, force: true });
  }
}

const sessionOf = (host: SpeakerHost): PeerStatus => peerStatuses(host.speaker, host.now())[0];

async function until(what: string, done: () => boolean | Promise<boolean>): Promise<void> {
  const limit = AbortSignal.timeout(60_000);
  while (!(await done())) {
    assert.ok(!limit.aborted, `timed out waiting for ${what}`);
    await sleep(10);
  }
}

/** Waits until the peer has received this many routes. */
const holds = (host: SpeakerHost, count: number) =>
  until(`${count} routes, there are ${routeCounts(host.speaker).prefixes}`, () => {
    return routeCounts(host.speaker).prefixes === count;
  });

describe('policies of a reflector', function () {
  this.timeout(120_000);
  let stage: Stage;
  beforeEach(() => {
    stage = new Stage();
  });
  afterEach(() => stage.end());

  const CLIENTS = 'clients: [{ range: NET.0/24, as: 64512, import: in, export: out }]';
  const open = 'policies: { in: { rules: [], otherwise: accept }, out: { rules: [], otherwise: accept } }';
  const without = (name: 'in' | 'out') =>
    open.replace(
      `${name}: { rules: []`,
      `${name}: { rules: [{ name: no-lab, match: { prefixes: [lab] }, action: reject }]`,
    );
  const lists = `prefixLists: { lab: [${LAB} le 32] }`;

  it('change by a reload with 100,000 routes: no session is reset, and only the difference is sent', async () => {
    await stage.start(`${CLIENTS}\n${open}`);
    const giver = await stage.peer(2, 64512, ROUTES);
    const taker = await stage.peer(3, 64512, 0);
    await holds(taker, ROUTES);
    for (const direction of ['in', 'out'] as const) {
      const before = sessionOf(taker).counters.updatesReceived;
      stage.reload(`${CLIENTS}\n${lists}\n${without(direction)}`);
      await holds(taker, ROUTES - 1000);
      stage.reload(`${CLIENTS}\n${open}`);
      await holds(taker, ROUTES);
      // A dozen messages hold 1,000 prefixes withdrawn and advertised again; 100,000 would take more than a hundred.
      const sent = sessionOf(taker).counters.updatesReceived - before;
      assert.ok(sent > 0 && sent <= 20, `${sent} UPDATEs for a change of 1,000 routes (${direction})`);
    }
    for (const host of [giver, taker]) {
      const { state, counters } = sessionOf(host);
      assert.deepEqual([state, counters.established], ['Established', 1], 'a session was reset');
    }
  });

  it('are not run again for a changed maximumPrefixes, which resets and sends nothing', async () => {
    const limited = (maximum: number) =>
      `clients: [{ range: NET.0/24, as: 64512, maximumPrefixes: ${maximum} }]`;
    await stage.start(limited(ROUTES * 2));
    const giver = await stage.peer(2, 64512, ROUTES);
    const taker = await stage.peer(3, 64512, 0);
    await holds(taker, ROUTES);
    const before = sessionOf(taker).counters.updatesReceived;
    stage.reload(limited(ROUTES + 5));
    await until('the new maximum', async () => {
      const { peers } = await stage.document<{ peers: PeerView[] }>('/v1/peers');
      return peers.every(({ prefixes }) => prefixes.maximum === ROUTES + 5);
    });
    assert.equal(sessionOf(taker).counters.updatesReceived, before);
    for (const host of [giver, taker]) assert.equal(sessionOf(host).counters.established, 1);
  });

  it('count each route once, also when it is evaluated again', async () => {
    await stage.start(`${CLIENTS}\n${lists}\n${without('in')}`);
    await stage.peer(2, 64512, 2000);
    const taker = await stage.peer(3, 64512, 0);
    await holds(taker, 1000);
    const hits = async () => {
      const { policies } = await stage.document<{ policies: PolicyView[] }>('/v1/policies');
      const found = policies.find(({ name }) => name === 'in');
      assert.ok(found);
      return [...found.rules.map((rule) => rule.hits), found.otherwise.hits];
    };
    assert.deepEqual(await hits(), [1000, 1000]);
    // Another option of the session, which evaluates its routes again.
    stage.reload(
      `${CLIENTS.replace('import', 'maximumAsPathLength: 50, import')}\n${lists}\n${without('in')}`,
    );
    await until('the reload', async () => {
      const { events } = await stage.document<StatusView>('/v1/status');
      return events.some(({ text }) => text.includes('maximumAsPathLength'));
    });
    assert.deepEqual(await hits(), [1000, 1000]);
    const { routes } = await stage.document<{ routes: { paths: { reason: string }[] }[] }>(
      `/v1/routes?prefix=${encodeURIComponent('10.1.0.0/26')}`,
    );
    assert.equal(routes[0].paths[0].reason, "refused by import policy in, rule 1 'no-lab'");
  });

  it('are required of an eBGP peer (RFC 8212), with a warning that says which one is missing', async () => {
    const clients = 'clients: [{ address: NET.2, as: 65001, name: edge }, { address: NET.3, as: 64512 }]';
    await stage.start(clients);
    await stage.peer(2, 65001, 10);
    const taker = await stage.peer(3, 64512, 0);
    const edge = async () => {
      const { peers } = await stage.document<{ peers: PeerView[] }>('/v1/peers');
      return peers.find(({ name }) => name === 'edge');
    };
    await until('the routes of the edge', async () => (await edge())?.prefixes.received === 10);
    assert.equal((await edge())?.prefixes.accepted, 0);
    assert.deepEqual((await edge())?.policyMissing, ['import', 'export']);
    const { warnings } = await stage.document<StatusView>('/v1/status');
    assert.match(
      warnings.join('\n'),
      /eBGP peer edge has no import and no export policy, so no routes are exchanged/,
    );
    stage.reload(
      `${clients.replace('name: edge', 'name: edge, import: every')}\npolicies: { every: { rules: [], otherwise: accept } }`,
    );
    await holds(taker, 10);
  });

  it('are evaluated by a dry run, which reports what a reload would do and changes nothing', async () => {
    const before = `${CLIENTS}\n${open}`;
    const none = { added: 0, withdrawn: 0, changed: 0 };
    await stage.start(before);
    const giver = await stage.peer(2, 64512, 3000);
    const taker = await stage.peer(3, 64512, 500);
    await holds(taker, 3000);
    await holds(giver, 3000);
    const [two, three] = [`${stage.network}.2`, `${stage.network}.3`];
    const about = (plan: PlanView, name: string) => plan.peers.find(({ peer }) => peer === name);
    const updates = sessionOf(taker).counters.updatesReceived;

    const same = await stage.plan(before);
    assert.deepEqual([same.changed, about(same, two)?.taken, about(same, two)?.told], [[], none, none]);

    // Both peers announce the first 500 of the lab's 1,000 routes; the import policy rejects them from both.
    const rejecting = `${CLIENTS}\n${lists}\n${without('in')}`;
    const plan = await stage.plan(rejecting);
    assert.deepEqual(plan.needRestart, []);
    assert.deepEqual(about(plan, two)?.taken, { ...none, withdrawn: 1000 });
    assert.deepEqual(about(plan, three)?.taken, { ...none, withdrawn: 500 });
    assert.deepEqual(about(plan, two)?.session, 'stays');
    const [toldTwo, toldThree] = [about(plan, two)?.told, about(plan, three)?.told];
    assert.equal((toldTwo?.withdrawn ?? 0) + (toldThree?.withdrawn ?? 0), 1000);
    assert.equal(sessionOf(taker).counters.updatesReceived, updates, 'an UPDATE was sent');

    const marking = `{ rules: [{ set: { communities: { add: ["1:2"] } }, action: accept }] }`;
    const marked = await stage.plan(
      `${CLIENTS}\n${open.replace('out: { rules: [], otherwise: accept }', `out: ${marking}`)}`,
    );
    const sum = (about(marked, two)?.told?.changed ?? 0) + (about(marked, three)?.told?.changed ?? 0);
    assert.equal(sum, 3000);

    const other = await stage.plan(
      `clients: [{ range: NET.0/24, as: 64513 }, { address: 10.0.0.9, as: 64512 }]\n${open}`,
    );
    assert.deepEqual([about(other, two)?.session, about(other, two)?.because], ['reset', ['as', 'client']]);
    assert.equal(about(other, '10.0.0.9')?.session, 'added');
    assert.match(
      (await stage.plan(`clients: [{ range: NET.0/24, as: 0 }]`)).error ?? '',
      /new\.yaml:4:\d+: clients\[0\]\.as/,
    );

    const received = (host: SpeakerHost) => sessionOf(host).prefixes.received;
    const expected = [
      received(giver) - (toldTwo?.withdrawn ?? 0),
      received(taker) - (toldThree?.withdrawn ?? 0),
    ];
    stage.reload(rejecting);
    await until('what was planned', () => received(giver) === expected[0] && received(taker) === expected[1]);
    assert.equal(sessionOf(taker).counters.established, 1);
  });
});
