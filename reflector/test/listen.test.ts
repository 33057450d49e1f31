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
clients: [{ range: ${IPV4}/32, as: 64512 }, { range: "::1/128", as: 64512 }]
socket: ${join(folder, 'rr.sock')}
http: { listen: off }
`;
  const settings = parseReflectorConfig(text, 'reflector.yaml');
  reflector = await Reflector.start(settings, createLogger({ level: 'silent', format: 'json' }));
}

/** A client that connects to the reflector at `address`, from the same address, and announces `prefix`. */
async function client(address: string, routerId: string, prefix: string): Promise<SpeakerHost> {
  const config = { as: 64512, routerId, address: routerId, maximumPaths: 1 };
  const host = new SpeakerHost(new Speaker(config, Math.random), { listen: null, localAddress: address });
  const rule = { name: 'next-hop', set: { nextHop: routerId }, action: 'accept' } as const;
  host.speaker.setPolicies({ policies: { out: { rules: [rule], otherwise: 'reject' } } });
  host.speaker.originate(prefix);
  host.speaker.addPeer(
    peerConfig({ address, port, as: 64512, connectRetry: 1, exportPolicy: 'out' }),
    host.now(),
  );
  await host.start();
  clients.push(host);
  return host;
}

async function until(what: string, isDone: () => boolean): Promise<void> {
  for (const end = performance.now() + 50_000; !isDone(); await sleep(5))
    assert.ok(performance.now() < end, `waited in vain for ${what}`);
}

describe('the listeners of a reflector', () => {
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
      const ipv4 = await client(IPV4, '10.9.0.1', '10.1.0.0/24');
      const ipv6 = await client('::1', '10.9.0.2', '10.2.0.0/24');
      for (const { speaker } of [ipv4, ipv6])
        await until('the route of the other client', () => routeCounts(speaker).prefixes === 2);
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
