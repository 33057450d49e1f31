/** Sessions with the reflector over IPv4 and IPv6, on loopback. */
import assert from 'node:assert/strict';
import { randomInt } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { createLogger } from '@flatroute/common/process/log.ts';
import { peerConfig, peerStatuses, routeCounts, Speaker } from 'bgp-js';
import { SpeakerHost } from 'bgp-js/net';
import { parseReflectorConfig } from '../config/load.ts';
import { Reflector } from '../reflector.ts';

const port = randomInt(10_000, 30_000);
const IPV4 = `127.${randomInt(16, 255)}.${randomInt(0, 255)}.1`;
let folder: string;
let reflector: Reflector | undefined;
let clients: SpeakerHost[] = [];

async function start(listen: string): Promise<void> {
  const text = `as: 64512
routerId: ${IPV4}
listen: ${listen}
clients:
  - { range: ${IPV4}/32, as: 64512, families: [ipv4-unicast, ipv6-unicast] }
  - { range: "::1/128", as: 64512, families: [ipv4-unicast, ipv6-unicast] }
socket: ${join(folder, 'rr.sock')}
http: { listen: off }
`;
  const settings = parseReflectorConfig(text, 'reflector.yaml');
  reflector = await Reflector.start(settings, createLogger({ level: 'silent', format: 'json' }));
}

/** Client `n`, which connects to the reflector at `address` from the same address, and announces `routes`. */
async function client(n: number, address: string, routes: string[]): Promise<SpeakerHost> {
  const routerId = `10.9.0.${n}`;
  const config = { as: 64512, routerId, address: routerId, address6: `2001:db8::${n}` };
  const host = new SpeakerHost(new Speaker(config, Math.random), { listen: null, localAddress: address });
  const rule = { name: 'next-hop', set: { nextHop: routerId }, action: 'accept' } as const;
  host.speaker.setPolicies({ policies: { out: { rules: [rule], otherwise: 'reject' } } });
  for (const route of routes) host.speaker.originate(route);
  const families = ['ipv4-unicast', 'ipv6-unicast'];
  host.speaker.addPeer(
    peerConfig({ address, port, as: 64512, connectRetry: 1, exportPolicy: 'out', families }),
    host.now(),
  );
  await host.start();
  clients.push(host);
  return host;
}

async function until(what: string, isDone: () => boolean): Promise<void> {
  for (const end = performance.now() + 50_000; !isDone(); await sleep(5))
    assert.ok(performance.now() < end, `timed out waiting for ${what}`);
}

describe('listeners of the reflector', () => {
  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'flatroute-listen-'));
  });
  afterEach(async () => {
    await Promise.all(clients.map((host) => host.stop('done')));
    await reflector?.stop();
    await rm(folder, { recursive: true });
    [clients, reflector] = [[], undefined];
  });

  for (const listen of [
    `[${IPV4}:${port}, "[::1]:${port}"]`,
    `[0.0.0.0:${port}, "[::]:${port}"]`,
    `"[::]:${port}"`,
  ]) {
    it(`${listen.replaceAll(String(port), 'PORT').replace(IPV4, 'ADDRESS')} reflects between clients of both families`, async () => {
      await start(listen);
      const ipv4 = await client(1, IPV4, ['10.1.0.0/24', '2001:db8:1::/48']);
      // Over ::1 a route of IPv6 would have ::1 as its next hop, the reflector's own address.
      const ipv6 = await client(2, '::1', ['10.2.0.0/24']);
      for (const { speaker } of [ipv4, ipv6])
        await until('the routes of the other client', () => routeCounts(speaker).prefixes === 3);
      const [status] = peerStatuses(ipv6.speaker, ipv6.now());
      assert.deepEqual([status.address, status.state], ['::1', 'Established']);
    });
  }

  it('names the endpoint that cannot be bound, and says what to check', async () => {
    await assert.rejects(
      start(`[${IPV4}:${port}, "[2001:db8::77]:${port}"]`),
      new RegExp(`cannot listen on \\[2001:db8::77\\]:${port}: this machine does not have that address`),
    );
    // Nothing is left behind: the first endpoint is free again.
    await start(`[${IPV4}:${port}, "[::1]:${port}"]`);
  });
});
