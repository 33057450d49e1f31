/** `npm run lab -- list` and `npm run lab -- exec PLACE COMMAND…`: inspects a running lab. */

import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { namespacesOf, netnsOf } from './lab/netns.ts';
import { inNetns, labEnvironment } from './lab/processes.ts';
import { folderOf, type LabRecord, runningLabs } from './lab/registry.ts';

const usage = `usage: npm run lab -- list
       npm run lab -- exec [--lab ID] PLACE COMMAND…   PLACE is a machine or a pod, such as n1, tor or n1-a
`;

/** The commands of flatroute that query a running agent. */
const views = ['status', 'peers', 'routes', 'pods', 'explain', 'policies', 'plan'];

function fail(message: string): never {
  process.stderr.write(`${message}\n`);
  process.exit(2);
}

function placesOf(lab: LabRecord): string[] {
  return namespacesOf(lab.id).map((netns) => netns.slice(lab.id.length + 1));
}

function list(): void {
  const labs = runningLabs();
  if (labs.length === 0) process.stdout.write('no lab is running; `npm start` starts one\n');
  for (const lab of labs) {
    process.stdout.write(`${lab.id}  ${lab.topology}  since ${lab.started}  pid ${lab.owner.pid}\n`);
    for (const place of placesOf(lab)) {
      process.stdout.write(`  ${place.padEnd(12)} ${lab.pages[place] ?? ''}`.trimEnd().concat('\n'));
    }
  }
}

function pickLab(id: string | undefined): LabRecord {
  const labs = runningLabs();
  if (labs.length === 0) fail('no lab is running; `npm start` starts one');
  const lab = id === undefined ? labs.at(-1) : labs.find((candidate) => candidate.id === id);
  return lab ?? fail(`lab ${id} is not running, only ${labs.map((candidate) => candidate.id).join(', ')}`);
}

/** Adds the socket of the place to commands of flatroute and birdc that name none. */
function withSocket(lab: LabRecord, place: string, command: string[]): string[] {
  const [name, ...args] = command;
  const folder = join(folderOf(lab.id), place);
  if (name === 'flatroute' && views.includes(args[0]) && !args.includes('--socket')) {
    return [...command, '--socket', join(folder, 'agent.sock')];
  }
  const control = join(folder, 'bird.ctl');
  if (name === 'birdc' && !args.includes('-s') && existsSync(control)) return [name, '-s', control, ...args];
  return command;
}

function exec(args: string[]): void {
  const id = args[0] === '--lab' ? args.splice(0, 2)[1] : undefined;
  const [place, ...command] = args;
  if (!place || command.length === 0) fail(usage);
  const lab = pickLab(id);
  if (!placesOf(lab).includes(place)) fail(`lab ${lab.id} has no ${place}, only ${placesOf(lab).join(', ')}`);
  const [file, ...rest] = inNetns(netnsOf(lab.id, place), withSocket(lab, place, command));
  const child = spawn(file, rest, { stdio: 'inherit', env: labEnvironment(lab.id) });
  child.on('error', (error) => fail(`${file} cannot be run: ${error.message}`));
  // Ctrl-C is for the command; this process stays to pass on its exit code.
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => child.kill(signal));
  child.on('exit', (code) => process.exit(code ?? 1));
}

const [action, ...args] = process.argv.slice(2);
if (action === 'list' && args.length === 0) list();
else if (action === 'exec') exec(args);
else fail(usage);
