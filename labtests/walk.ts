/**
 * `npm run walk`: lists the files that run while an agent receives one UPDATE and installs its route in the kernel.
 *
 * Starts a lab with one agent and a BIRD router. The agent runs from its sources. V8 records the functions that run
 * from the moment BIRD advertises a prefix until the kernel has the route.
 */
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { Daemon } from './lab/daemon.ts';
import { Lab } from './lab/lab.ts';
import { repository } from './lab/processes.ts';
import { stopOnSignals } from './lab/signals.ts';
import type { LabTopology } from './lab/topology.ts';
import { until } from './lab/wait.ts';
import { oneNode } from './topologies/one-node.ts';

const PREFIX = '172.20.0.0/24';
/** The folders in the order in which a route passes through them. */
const ORDER = [
  'bgp-js/net',
  'bgp-js/speaker',
  'bgp-js/session',
  'bgp-js/wire',
  'bgp-js/ip',
  'bgp-js',
  'agent',
  'common',
];

const topology: LabTopology = {
  ...oneNode,
  name: 'walk',
  machines: oneNode.machines.map((machine) =>
    machine.role === 'bird' ? { ...machine, announce: [PREFIX] } : machine,
  ),
};

/** The files that ran, with their functions. */
async function record(lab: Lab): Promise<{ file: string; functions: string[] }[]> {
  const agent = lab.agent('n1');
  await agent.daemon.stop();
  const output = join(lab.folder, 'walk.json');
  const daemon = new Daemon({
    lab: lab.id,
    title: 'the recorded agent',
    command: [
      ...['env', `COVERAGE_FILE=${output}`, process.execPath],
      ...['--import', join(repository, 'labtests/programs/record-coverage.ts')],
      ...[join(repository, 'cli/main.ts'), 'agent', '--config', agent.configFile],
    ],
    netns: `${lab.id}-n1`,
    logFile: join(lab.folder, 'walk.log'),
  });
  daemon.start();
  const hasRoute = async () => (await lab.must('n1', ['ip', 'route', 'show', PREFIX])).trim() !== '';
  try {
    await until('the route to be installed', hasRoute);
    await lab.must('tor', ['birdc', '-s', join(lab.folder, 'tor/bird.ctl'), 'disable', 'static1']);
    await until('the route to be withdrawn', async () => !(await hasRoute()));
    await sleep(300);
    process.kill(daemon.pid as number, 'SIGWINCH');
    await sleep(300);
    await lab.must('tor', ['birdc', '-s', join(lab.folder, 'tor/bird.ctl'), 'enable', 'static1']);
    await until('the route to be installed again', hasRoute);
    process.kill(daemon.pid as number, 'SIGWINCH');
    await until('the recording', () => existsSync(output));
    await sleep(100);
  } finally {
    await daemon.stop();
  }
  const ran = JSON.parse(readFileSync(output, 'utf8')) as { url: string; functions: string[] }[];
  return ran.map(({ url, functions }) => ({
    file: fileURLToPath(url).slice(repository.length + 1),
    functions,
  }));
}

const lab = new Lab(topology);
stopOnSignals(async () => lab.stop());
try {
  await lab.start();
  const rank = ({ file }: { file: string }) => ORDER.findIndex((folder) => file.startsWith(`${folder}/`));
  const files = (await record(lab))
    .filter(({ file }) => !file.startsWith('labtests/'))
    .sort((a, b) => rank(a) - rank(b) || (a.file < b.file ? -1 : 1));
  for (const { file, functions } of files) process.stdout.write(`${file}\n    ${functions.join(' ')}\n`);
  process.stdout.write(`${files.length} files\n`);
} finally {
  await lab.stop();
}
process.exit();
