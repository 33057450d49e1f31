/**
 * A speaker of bgp-js on TCP as a program: `program.ts CONFIG.json`. Calls come on standard input, answers and the
 * word that it listens go to standard output, one JSON document a line each.
 */

import { readFileSync } from 'node:fs';
import { createInterface } from 'node:readline';
import { listRoutes, type OriginateOptions, type PeerConfig, peerStatuses, Speaker } from 'bgp-js';
import { SpeakerHost } from 'bgp-js/net';
import type { Call, SpeakerPlan } from './protocol.ts';

const plan = JSON.parse(readFileSync(process.argv[2], 'utf8')) as SpeakerPlan;
const events: unknown[] = [];
const speaker = new Speaker(plan.speaker, Math.random);
const host = new SpeakerHost(speaker, { listen: plan.listen, onEvent: (event) => events.push(event) });

type Method = (...args: never[]) => unknown;
const methods: Record<string, Method> = {
  peers: () => peerStatuses(speaker, host.now()),
  routes: () =>
    listRoutes(speaker, 0, 10_000).routes.map(({ prefix, paths }) => ({ prefix, paths: paths.map(shown) })),
  events: () => events,
  originate: (prefix: string, options?: OriginateOptions) => speaker.originate(prefix, options),
  withdraw: (prefix: string) => speaker.withdraw(prefix),
  addPeer: (peer: PeerConfig) => speaker.addPeer(peer, host.now()),
  updatePeer: (peer: PeerConfig) => speaker.updatePeer(peer, host.now()),
  stop: (message: string) => host.stop(message),
};

function shown(path: ReturnType<typeof listRoutes>['routes'][number]['paths'][number]): unknown {
  return { peer: path.source.name, attributes: path.attributes, status: path.status, reason: path.reason };
}

function answer(document: object): void {
  const text = JSON.stringify(document, (_, value) =>
    value instanceof Uint8Array ? Buffer.from(value).toString('hex') : value,
  );
  process.stdout.write(`${text}\n`);
}

for (const peer of plan.peers) speaker.addPeer(peer, host.now());
for (const { prefix, options } of plan.originate) speaker.originate(prefix, options);
await host.start();
answer({ ready: true });

for await (const line of createInterface({ input: process.stdin })) {
  const { id, method, args } = JSON.parse(line) as Call;
  try {
    const value = await methods[method](...(args as never[]));
    answer({ id, value: value ?? null });
    host.wake();
  } catch (error) {
    answer({ id, error: (error as Error).message });
  }
}
process.exit(0);
