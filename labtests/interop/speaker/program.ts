/**
 * A speaker of bgp-js on TCP as a program: `program.ts CONFIG.json`. It reads calls from standard input and writes
 * answers, and first a line when it listens, to standard output; each line is a JSON document.
 */

import { readFileSync } from 'node:fs';
import { createInterface } from 'node:readline';
import { listRoutes, type OriginateOptions, peerConfig, peerStatuses, Speaker } from 'bgp-js';
import { SpeakerHost } from 'bgp-js/net';
import type { Call, FeederPlan, SpeakerPlan } from './protocol.ts';

const plan = JSON.parse(readFileSync(process.argv[2], 'utf8')) as SpeakerPlan;
const events: unknown[] = [];
const speaker = new Speaker(plan.speaker, Math.random);
const host = new SpeakerHost(speaker, { listen: plan.listen, onEvent: (event) => events.push(event) });
const feeders = plan.feeders.map(feederOf);

function feederOf({ as, address, peer, originate }: FeederPlan): SpeakerHost {
  const feeder = new Speaker({ as, routerId: address, address, maximumPaths: 1 }, Math.random);
  const feederHost = new SpeakerHost(feeder, { listen: null });
  feeder.addPeer(peerConfig(peer), feederHost.now());
  for (const { prefix, options } of originate) feeder.originate(prefix, options);
  return feederHost;
}

type Method = (...args: never[]) => unknown;
const methods: Record<string, Method> = {
  peers: () => peerStatuses(speaker, host.now()),
  routes: () =>
    listRoutes(speaker, 0, 10_000).routes.map(({ prefix, paths }) => ({ prefix, paths: paths.map(shown) })),
  events: () => events,
  originate: (prefix: string, options?: OriginateOptions) => speaker.originate(prefix, options),
  withdraw: (prefix: string) => speaker.withdraw(prefix),
  refresh: (name: string) => speaker.refresh(name),
  feeder: (index: number) => peerStatuses(feeders[index].speaker, feeders[index].now())[0],
  feederWithdraw: (index: number, prefix: string) => {
    feeders[index].speaker.withdraw(prefix);
    feeders[index].wake();
  },
  stop: (message: string) => host.stop(message),
};

function shown(path: ReturnType<typeof listRoutes>['routes'][number]['paths'][number]): unknown {
  const { source, attributes, status, reason, stale } = path;
  return { peer: source.name, attributes, status, reason, stale };
}

function answer(document: object): void {
  const text = JSON.stringify(document, (_, value) =>
    value instanceof Uint8Array ? Buffer.from(value).toString('hex') : value,
  );
  process.stdout.write(`${text}\n`);
}

for (const peer of plan.peers) speaker.addPeer(peerConfig(peer), host.now());
for (const { prefix, options } of plan.originate) speaker.originate(prefix, options);
await host.start();
for (const feeder of feeders) await feeder.start();
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
