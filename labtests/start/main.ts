/**
 * `npm start`: starts the lab of three nodes, shows what it does and runs until Ctrl-C. With `--check` it checks the lab,
 * takes it down, and exits with 1 and the names of the checks that failed; `--json` adds one JSON document {checks,
 * seconds} as the last line.
 */

import { parseArgs } from 'node:util';
import { Lab, leftovers } from '../lab/lab.ts';
import { serveOnLoopback } from '../lab/proxy.ts';
import { stopOnSignals } from '../lab/signals.ts';
import { threeNodes } from '../topologies/three-nodes.ts';
import { type CheckResult, converged, runChecks } from './checks.ts';
import { machinesOf, measureReachability, reachabilityTable } from './reachability.ts';
import { table } from './table.ts';

const usage = `usage: npm start                     bring the lab up and stay until Ctrl-C
       npm start -- --check [--json]  bring it up, check it, take it down
`;

const say = (text: string) => process.stdout.write(`${text}\n`);
const since = (start: number) => (performance.now() - start) / 1000;

function options(): { check: boolean; json: boolean } {
  try {
    const { values } = parseArgs({
      options: { check: { type: 'boolean', default: false }, json: { type: 'boolean', default: false } },
    });
    if (values.json && !values.check) throw new Error('--json goes with --check');
    return values;
  } catch (error) {
    process.stderr.write(`${(error as Error).message}\n${usage}`);
    process.exit(2);
  }
}

async function bringUp(lab: Lab, start: number): Promise<void> {
  await lab.start();
  await converged(lab);
  say(`${since(start).toFixed(1).padStart(6)} s  routes in every kernel`);
}

async function check(lab: Lab, start: number, json: boolean): Promise<number> {
  const results: CheckResult[] = [];
  const report = ({ name, ok, detail }: CheckResult) =>
    say(`${ok ? '    ok' : 'FAILED'}    ${name}: ${detail}`);
  const add = (name: string, problems: string[], detail: string) => {
    const result = { name, ok: problems.length === 0, detail: problems.join('\n') || detail };
    report(result);
    results.push(result);
  };
  try {
    await bringUp(lab, start);
    results.push(...(await runChecks(lab, report)));
  } catch (error) {
    if (lab.stopping) throw error;
    add('the lab comes up', [(error as Error).message], '');
  }
  const problems = await lab.stop();
  add('nothing left', [...new Set([...problems, ...leftovers(lab.id)])], 'no process, namespace or file');
  const seconds = Number(since(start).toFixed(1));
  const failed = results.filter((result) => !result.ok);
  say('');
  say(
    failed.length === 0
      ? `All ${results.length} checks passed in ${seconds} s.`
      : `${failed.length} of ${results.length} checks failed: ${failed.map((result) => result.name).join('; ')}.`,
  );
  if (json) say(JSON.stringify({ checks: results, seconds }));
  return failed.length === 0 ? 0 : 1;
}

async function sessionTable(lab: Lab): Promise<string> {
  const rows = [['node', 'peer', 'type', 'AS', 'state', 'received', 'sent']];
  for (const agent of lab.agents.values()) {
    for (const peer of await agent.peers()) {
      const { received, sent } = peer.prefixes;
      rows.push([agent.name, peer.name, peer.type, `${peer.as}`, peer.state, `${received}`, `${sent}`]);
    }
  }
  return table(rows, [3, 5, 6]);
}

async function servePages(lab: Lab): Promise<Record<string, string>> {
  const pages: Record<string, string> = {};
  let port = 9181;
  for (const agent of lab.agents.values()) {
    const proxy = await serveOnLoopback(agent.socket, port++);
    lab.onStop(`the page of ${agent.name}`, proxy.close);
    pages[agent.name] = proxy.url;
  }
  lab.recordPages(pages);
  return pages;
}

const commands = (address: string) => `Try, in another terminal:
  npm run lab -- list
  npm run lab -- exec n1 ip route
  npm run lab -- exec n1 flatroute peers
  npm run lab -- exec n1 flatroute explain ${address}
  npm run lab -- exec tor birdc show route
  npm run lab -- exec outside ping -c 3 ${address}
  npm run lab -- exec n1-a ip route

Ctrl-C removes everything.`;

async function show(lab: Lab, start: number): Promise<void> {
  await bringUp(lab, start);
  const pages = await servePages(lab);
  say('\nBGP sessions\n');
  say(await sessionTable(lab));
  say('Round-trip times in milliseconds\n');
  say(reachabilityTable(await measureReachability(lab)));
  say('Addresses\n');
  const places = [...machinesOf(lab, 'agent'), ...lab.pods.values(), ...machinesOf(lab, 'host')];
  say(table([['name', 'address', 'page'], ...places.map((p) => [p.name, p.address, pages[p.name] ?? ''])]));
  say(commands(lab.pods.get('n2-a')?.address ?? '10.0.0.2'));
}

async function main(): Promise<void> {
  const { check: checking, json } = options();
  const start = performance.now();
  say('Bringing up three nodes, a ToR switch and a plain host in network namespaces.\n');
  const lab = new Lab(threeNodes, (step) => say(`${since(start).toFixed(1).padStart(6)} s  ${step}`));
  stopOnSignals(async () => {
    say('\nTaking the lab down.');
    const problems = await lab.stop();
    if (problems.length > 0) throw new Error(problems.join('\n'));
  });
  try {
    if (checking) process.exit(await check(lab, start, json));
    await show(lab, start);
    // Keeps the process alive until a signal arrives.
    setInterval(() => {}, 1 << 30);
  } catch (error) {
    if (lab.stopping) return; // by a signal, whose handler exits when everything is down
    process.stderr.write(`\n${(error as Error).message}\n`);
    await lab.stop();
    process.exit(1);
  }
}

await main();
