/** The checks of `npm start -- --check`: each observes the running lab from both ends and reports what it found. */

import type { Lab } from '../lab/lab.ts';
import { until } from '../lab/wait.ts';
import { machinesOf, measureReachability, ping, podsOf } from './reachability.ts';
import { assertNoTranslation, withTcpServers } from './tcp.ts';

/** One line of the result. */
export interface CheckResult {
  name: string;
  ok: boolean;
  /** What was found, or what is wrong. */
  detail: string;
}

/** A check returns what it found as text, and throws an Error when that is wrong. */
interface Check {
  name: string;
  run(lab: Lab): Promise<string>;
}

const checks: Check[] = [
  { name: 'sessions Established', run: sessions },
  { name: 'every pod reaches every pod, node and host', run: reachability },
  { name: 'host to pods by TCP, no NAT', run: tcpFromHosts },
  { name: 'pods to host by TCP, no NAT', run: tcpFromPods },
  { name: "routes in n1's kernel", run: kernelRoutes },
  { name: 'pod ranges in BIRD with AS path 64512', run: birdRoutes },
  { name: 'new pod reachable at the first packet', run: firstPacket },
];

/** Runs all checks; none stops the others. */
export async function runChecks(lab: Lab, done: (result: CheckResult) => void): Promise<CheckResult[]> {
  const results: CheckResult[] = [];
  for (const { name, run } of checks) {
    const result = await run(lab).then(
      (detail) => ({ name, ok: true, detail }),
      (error: Error) => ({ name, ok: false, detail: error.message }),
    );
    if (lab.stopping) throw new Error('the lab is being stopped');
    done(result);
    results.push(result);
  }
  return results;
}

async function sessions(lab: Lab): Promise<string> {
  let count = 0;
  for (const agent of lab.agents.values()) {
    for (const peer of await agent.peers()) {
      if (peer.state !== 'Established') throw new Error(`${agent.name} → ${peer.name} is ${peer.state}`);
      count++;
    }
  }
  for (const [name, router] of lab.routers) {
    const established = await router.establishedPeers();
    const missing = router.machine.peers.filter((peer) => !established.includes(peer.name));
    if (missing.length > 0)
      throw new Error(`${name} has no session with ${missing.map((peer) => peer.name)}`);
    count += established.length;
  }
  return `${count} ends of sessions, by both sides`;
}

async function reachability(lab: Lab): Promise<string> {
  const reaches = await measureReachability(lab);
  const failed = reaches.filter((reach) => reach.milliseconds === undefined);
  if (failed.length > 0)
    throw new Error(`no answer: ${failed.map(({ from, to }) => `${from} → ${to}`).join(', ')}`);
  const slowest = Math.max(...reaches.map((reach) => reach.milliseconds ?? 0));
  return `${reaches.length} pings answered, the slowest after ${slowest} ms`;
}

async function tcpFromHosts(lab: Lab): Promise<string> {
  const pods = podsOf(lab);
  const hosts = machinesOf(lab, 'host');
  return withTcpServers(lab, pods, async () => {
    for (const host of hosts) await assertNoTranslation(lab, host, pods);
    const { name, address } = hosts[0];
    return `${pods.length} pods saw ${name} as ${address}, and ${name} saw theirs`;
  });
}

async function tcpFromPods(lab: Lab): Promise<string> {
  const pods = podsOf(lab);
  const hosts = machinesOf(lab, 'host');
  return withTcpServers(lab, hosts, async () => {
    for (const pod of pods) await assertNoTranslation(lab, pod, hosts);
    return `${hosts[0].name} saw ${pods.map((pod) => pod.address).join(', ')}`;
  });
}

async function kernelRoutes(lab: Lab): Promise<string> {
  const table = await lab.must('n1', ['ip', 'route']);
  const localPods = [...lab.pods.values()].filter((pod) => pod.node === 'n1');
  const wanted = [
    /^10\.244\.2\.0\/26 via 10\.0\.0\.2 dev eth0 proto 179\b/m,
    /^10\.244\.3\.0\/26 via 10\.0\.0\.3 dev eth0 proto 179\b/m,
    /^172\.20\.0\.0\/24 via 10\.0\.0\.254 dev eth0 proto 179\b/m,
    /^blackhole 10\.244\.1\.0\/26 proto 179\b/m,
    ...localPods.map(
      ({ address }) => new RegExp(`^${address.replaceAll('.', '\\.')} dev fr\\S+ proto 179\\b`, 'm'),
    ),
  ];
  const missing = wanted.filter((pattern) => !pattern.test(table));
  if (missing.length > 0) throw new Error(`nothing matches ${missing.join(' and ')} in:\n${table}`);
  return `ranges of n2 and n3, 172.20.0.0/24, ${localPods.length} host routes and the blackhole, all proto 179`;
}

async function birdRoutes(lab: Lab): Promise<string> {
  const tor = lab.bird('tor');
  const forwarding = await lab.must('tor', ['ip', 'route']);
  for (const n of [1, 2, 3]) {
    const prefix = `10.244.${n}.0/26`;
    const path = await tor.asPath(prefix);
    if (path !== '64512') throw new Error(`${prefix} has AS path "${path}" in BIRD`);
    const inKernel = `${prefix} via 10.0.0.${n} dev fabric proto bird`;
    if (!forwarding.includes(inKernel))
      throw new Error(`"${inKernel}" is not in tor's kernel:\n${forwarding}`);
  }
  return 'three ranges, each via its own node, also in the kernel of tor';
}

// The range is advertised already, so ADD must answer only when the host route is installed.
async function firstPacket(lab: Lab): Promise<string> {
  const pod = await lab.addPod('n3', 'n3-new');
  try {
    const milliseconds = await ping(lab, 'outside', pod.address);
    if (milliseconds === undefined) throw new Error(`the first ping from outside to ${pod.address} was lost`);
    return `outside → ${pod.address} answered the first packet after ${milliseconds} ms`;
  } finally {
    await lab.deletePod(pod.name);
  }
}

/** Resolves when the kernels of all routers have every route, which takes a moment after the sessions are up. */
export async function converged(lab: Lab): Promise<void> {
  const prefixes = ['10.244.1.0/26', '10.244.2.0/26', '10.244.3.0/26', '172.20.0.0/24'];
  for (const name of [...lab.agents.keys(), ...lab.routers.keys()]) {
    await until(`all routes in the kernel of ${name}`, async () => {
      const table = await lab.must(name, ['ip', 'route']);
      return prefixes.every((prefix) => table.includes(prefix));
    });
  }
}
