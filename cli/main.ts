/** The `flatroute` command. Each command loads its modules when it runs, so that viewing commands start quickly. */
import { PEER_SORTS, PEER_STATES } from '@flatroute/common/http/peer-selection.ts';
import { Command, CommanderError, InvalidArgumentError, Option } from 'commander';
import type { PlanOptions } from './dry-run.ts';
import { counted } from './table.ts';
import type { PeersOptions, RoutesOptions, StatusOptions, ViewOptions } from './viewing.ts';

const DEFAULT_SOCKET = '/run/flatroute/agent.sock';

interface DaemonOptions {
  config: string;
  check?: boolean;
}

/** "run the agent" → "Run the agent." */
function sentence(summary: string): string {
  return `${summary[0].toUpperCase()}${summary.slice(1)}.`;
}

function daemonCommand(program: Command, name: 'agent' | 'reflector', summary: string): Command {
  return program
    .command(name)
    .summary(summary)
    .description(`${sentence(summary)}\nExits with 2 if the configuration is invalid.`)
    .requiredOption('-c, --config <file>', `configuration file (${name}.yaml)`)
    .option('--check', 'check the configuration and exit: 0 if it is valid, 2 if not');
}

function addDaemons(program: Command): void {
  daemonCommand(program, 'agent', 'run the agent of this node').action(async (options: DaemonOptions) => {
    if (options.check) {
      const { loadAgentConfig } = await import('@flatroute/agent/main.ts');
      const { node, as, peers, podCIDRs } = await loadAgentConfig(options.config);
      const prefixes = podCIDRs.length === 0 ? 'no pod prefix' : `pods in ${podCIDRs.join(', ')}`;
      return report(
        `${options.config}: OK (node ${node}, AS ${as}, ${counted(peers.length, 'peer')}, ${prefixes})`,
      );
    }
    const { runAgent } = await import('@flatroute/agent/main.ts');
    await runAgent({ configFile: options.config });
  });
  daemonCommand(program, 'reflector', 'run a route reflector').action(async (options: DaemonOptions) => {
    if (options.check) {
      const { loadReflectorConfig } = await import('@flatroute/reflector/main.ts');
      const { as, clusterId, clients } = await loadReflectorConfig(options.config);
      return report(
        `${options.config}: OK (AS ${as}, cluster ${clusterId}, ${counted(clients.length, 'client')})`,
      );
    }
    const { runReflector } = await import('@flatroute/reflector/main.ts');
    await runReflector({ configFile: options.config });
  });
}

function report(line: string): void {
  process.stdout.write(`${line}\n`);
}

function viewingCommand(program: Command, name: string, summary: string): Command {
  return program
    .command(name)
    .summary(summary)
    .description(sentence(summary))
    .option('--json', 'print JSON')
    .option(
      '-s, --socket <path>',
      'Unix socket of the daemon; that of a reflector is /run/flatroute/reflector.sock',
      DEFAULT_SOCKET,
    );
}

function addViewing(program: Command): void {
  viewingCommand(program, 'status', 'show the state of the daemon, with warnings and recent events')
    .option('-v, --verbose', 'also show how long work waited and took')
    .action(async (options: StatusOptions) => {
      await (await import('./viewing.ts')).showStatus(options);
    });
  viewingCommand(program, 'peers', 'list the BGP sessions, those that are down first, or show one in full')
    .argument('[peer]', 'name or address of one peer')
    .addOption(new Option('--state <state>', 'only peers in this state').choices(PEER_STATES))
    .option('--search <text>', 'filter by text in name, address, range, AS or state')
    .addOption(new Option('--sort <key>', 'sort order').choices(PEER_SORTS).default('state'))
    .option('--limit <count>', 'show at most this many, or all (default: 50; all with --json)', parseLimit)
    .option('--offset <count>', 'skip this many', parseCount, 0)
    .action(async (peer: string | undefined, options: PeersOptions) => {
      await (await import('./viewing.ts')).showPeers(peer, options);
    });
  viewingCommand(program, 'routes', 'list routes, or show all paths to one and why the best one won')
    .argument('[target]', 'a prefix, or an address for its longest match; IPv4 or IPv6')
    .option('-l, --longer-prefixes', 'the prefix and all more specific ones')
    .option('--search <text>', 'filter by text in prefix, next hop, peer or AS path')
    .option('--limit <count>', 'show at most this many, or all', parseLimit, 50)
    .option('--offset <count>', 'skip this many', parseCount, 0)
    .action(async (target: string | undefined, options: RoutesOptions) => {
      await (await import('./viewing.ts')).showRoutes(target, options);
    });
  viewingCommand(program, 'plan', 'show what a reload of a configuration would do, without applying it')
    .requiredOption('-c, --config <file>', 'configuration file')
    .action(async (options: PlanOptions) => {
      await (await import('./dry-run.ts')).showPlan(options);
    });
  viewingCommand(
    program,
    'policies',
    'list the policies, with the number of routes that matched each rule',
  ).action(async (options: ViewOptions) => {
    await (await import('./viewing.ts')).showPolicies(options);
  });
  viewingCommand(program, 'pods', 'list the pods of this node').action(async (options: ViewOptions) => {
    await (await import('./viewing.ts')).showPods(options);
  });
  viewingCommand(program, 'explain', 'follow an address through pods, allocation, BGP and kernel')
    .argument('<address>', 'an IPv4 or IPv6 address')
    .action(async (address: string, options: ViewOptions) => {
      await (await import('./viewing.ts')).showExplain(address, options);
    });
}

interface InstallFlags {
  binDir?: string;
  confDir?: string;
  socket?: string;
}

function addPlugin(program: Command): void {
  const cni = program.command('cni').summary('install the CNI plugin').description('The CNI plugin.');
  cni
    .command('install')
    .description('Installs the plugin and its network configuration where container runtimes find them.')
    .option('--bin-dir <folder>', 'plugin folder of the runtime (default: /opt/cni/bin)')
    .option('--conf-dir <folder>', 'network configuration folder of the runtime (default: /etc/cni/net.d)')
    .option('--socket <path>', 'cni.socket of agent.yaml (default: /run/flatroute/cni.sock)')
    .action(async (flags: InstallFlags) => {
      const { installPlugin } = await import('@flatroute/cni/install.ts');
      for (const file of await installPlugin(flags)) report(file);
    });
}

function parseCount(text: string): number {
  if (!/^\d{1,9}$/.test(text)) throw new InvalidArgumentError('Not a whole number.');
  return Number(text);
}

function parseLimit(text: string): number {
  if (text === 'all') return Number.POSITIVE_INFINITY;
  const count = parseCount(text);
  if (count === 0) throw new InvalidArgumentError('Not a whole number from 1 on, or all.');
  return count;
}

/** The command line. Usage errors throw `CommanderError`. */
function makeProgram(): Command {
  const program = new Command('flatroute')
    .description('BGP route distribution for a pure-L3 pod network.')
    .showSuggestionAfterError()
    .helpCommand(false)
    .exitOverride();
  program.configureOutput({ outputError: (text, write) => write(text.replace(/^error: /, 'flatroute: ')) });
  addDaemons(program);
  addViewing(program);
  addPlugin(program);
  for (const command of [...program.commands, ...program.commands.flatMap((parent) => parent.commands)]) {
    command.copyInheritedSettings(program);
  }
  return program;
}

/** The exit code for a failure: 2 for wrong usage and configuration, 1 for anything else. Prints what commander has not. */
function exitCodeOf(error: unknown): number {
  if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : 2;
  const { exitCode, message, stack } = error as { exitCode?: unknown; message?: string; stack?: string };
  const known = typeof exitCode === 'number';
  const isSystem = typeof (error as NodeJS.ErrnoException).code === 'string';
  // An unexpected failure is a defect, and its stack helps to find it.
  const text = known || isSystem ? message : stack;
  for (const line of String(text ?? error).split('\n')) process.stderr.write(`flatroute: ${line}\n`);
  return known ? exitCode : 1;
}

// In `flatroute routes | head` the reader exits first, which is not a failure.
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code !== 'EPIPE') throw error;
  process.exit(0);
});

makeProgram()
  .parseAsync()
  .catch((error: unknown) => {
    process.exitCode = exitCodeOf(error);
  });
