/** TCP between pods and a plain host, with the addresses that each end sees: shows that there is no NAT. */

import { join } from 'node:path';
import { Daemon } from '../lab/daemon.ts';
import type { Lab } from '../lab/lab.ts';
import { netnsOf } from '../lab/netns.ts';
import { until } from '../lab/wait.ts';
import type { Place } from './reachability.ts';

const program = (name: string) => join(import.meta.dirname, '../programs', `${name}.ts`);

interface Dialled {
  target: string;
  client?: { local: string; remote: string };
  server?: { local: string; remote: string };
  error?: string;
}

/** Starts the answering program in each place, runs `work`, and stops them. */
export async function withTcpServers<T>(lab: Lab, places: Place[], work: () => Promise<T>): Promise<T> {
  const servers = places.map(
    ({ name }) =>
      new Daemon({
        lab: lab.id,
        title: `the TCP server of ${name}`,
        command: ['node', program('tcp-server')],
        netns: netnsOf(lab.id, name),
        logFile: join(lab.folder, `tcp-${name}.log`),
      }),
  );
  try {
    for (const server of servers) server.start();
    for (const server of servers) {
      await until(`${server.title} to listen`, () => {
        server.assertRunning();
        return server.log().includes('listening');
      });
    }
    return await work();
  } finally {
    await Promise.all(servers.map((server) => server.kill()));
  }
}

/**
 * Connects from one place to others. Both ends must see the machines' own addresses; otherwise it throws an Error with
 * the addresses that each side saw.
 */
export async function assertNoTranslation(lab: Lab, from: Place, targets: Place[]): Promise<void> {
  const addresses = targets.map((target) => target.address);
  const answer = await lab.must(from.name, ['node', program('tcp-client'), ...addresses]);
  for (const { target, client, server, error } of JSON.parse(answer) as Dialled[]) {
    if (error) throw new Error(`${from.name} cannot connect to ${target}: ${error}`);
    const seen = [client?.local, client?.remote, server?.remote, server?.local];
    const wanted = [from.address, target, from.address, target];
    if (seen.every((address, index) => address === wanted[index])) continue;
    throw new Error(
      `between ${from.name} (${from.address}) and ${target} the client saw ${seen[0]} → ${seen[1]}, ` +
        `the server ${seen[2]} → ${seen[3]}`,
    );
  }
}
