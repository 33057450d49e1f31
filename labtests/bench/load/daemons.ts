/**
 * The daemons that the comparison measures, each set up as an IPv4 route reflector: at 10.200.0.1 in AS 65000, with the
 * cluster id 1.1.1.1, for clients from all of 10.200.0.0/16.
 */
import { chownSync, existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { run } from '../../lab/processes.ts';

/** How to run a daemon of the comparison. */
export interface ComparedProgram {
  /** The program, which is installed if the file exists. */
  program: string;
  config: string;
  /** The configuration's mode; OpenBGPD refuses one that others may read. */
  mode?: number;
  /** The command; `config` is the path of the configuration and `folder` one that it may write into. */
  command(config: string, folder: string): string[];
  /** Prepares what the daemon needs besides its configuration. */
  prepare?(folder: string): Promise<void>;
  /** The process whose memory and CPU time count, if it is not the one that listens. */
  accounted?(pid: number): number | undefined;
}

const bird: ComparedProgram = {
  program: '/usr/sbin/bird',
  config: `router id 10.200.0.1;
protocol device {}
protocol direct { ipv4; }
protocol bgp clients {
  local 10.200.0.1 as 65000; neighbor range 10.200.0.0/16 as 65000; dynamic name "c"; passive; direct;
  rr client; rr cluster id 1.1.1.1;
  ipv4 { import all; export where source = RTS_BGP; };
}
`,
  command: (config, folder) => ['/usr/sbin/bird', '-f', '-c', config, '-s', join(folder, 'bird.ctl')],
};

const frr: ComparedProgram = {
  program: '/usr/lib/frr/bgpd',
  config: `router bgp 65000
 bgp router-id 10.200.0.1
 bgp cluster-id 1.1.1.1
 no bgp network import-check
 neighbor C peer-group
 neighbor C remote-as 65000
 neighbor C passive
 bgp listen limit 5000
 bgp listen range 10.200.0.0/16 peer-group C
 address-family ipv4 unicast
  neighbor C route-reflector-client
 exit-address-family
`,
  command: (config, folder) => {
    const own = join(folder, 'frr');
    const vty = ['--vty_socket', own, '-A', '127.0.0.1', '-P', '0'];
    return [frr.program, '-Z', '-n', '-f', config, '-i', join(own, 'bgpd.pid'), ...vty, '-l', '10.200.0.1'];
  },
  async prepare(folder) {
    const ids = await Promise.all(['-u', '-g'].map((option) => run('', ['id', option, 'frr'])));
    const own = join(folder, 'frr');
    mkdirSync(own, { recursive: true });
    chownSync(own, Number(ids[0].stdout), Number(ids[1].stdout));
  },
};

const openbgpd: ComparedProgram = {
  program: '/usr/sbin/bgpd',
  mode: 0o600,
  config: `AS 65000
router-id 10.200.0.1
fib-update no
listen on 10.200.0.1
socket "FOLDER/bgpd.sock"
group "c" {
  remote-as 65000
  passive
  route-reflector 1.1.1.1
  announce IPv4 unicast
  neighbor 10.200.0.0/16 {
    descr "c"
  }
}
allow from any
allow to any
`,
  command: (config) => ['/usr/sbin/bgpd', '-d', '-f', config],
  async prepare() {
    // Its processes change their root to the home of their user, which the Debian package does not create.
    const home = (await run('', ['getent', 'passwd', '_openbgpd'])).stdout.split(':')[5];
    if (home) mkdirSync(home, { recursive: true });
  },
  // The route decision engine holds the routes; the process that listens is another.
  accounted: (pid) => family(pid).find((one) => commandLine(one).includes('-R')),
};

const gobgp: ComparedProgram = {
  program: '/usr/bin/gobgpd',
  config: `[global.config]
  as = 65000
  router-id = "10.200.0.1"
[[peer-groups]]
  [peer-groups.config]
    peer-group-name = "c"
    peer-as = 65000
  [peer-groups.transport.config]
    passive-mode = true
  [peer-groups.route-reflector.config]
    route-reflector-client = true
    route-reflector-cluster-id = "1.1.1.1"
  [[peer-groups.afi-safis]]
    [peer-groups.afi-safis.config]
      afi-safi-name = "ipv4-unicast"
[[dynamic-neighbors]]
  [dynamic-neighbors.config]
    prefix = "10.200.0.0/16"
    peer-group = "c"
`,
  command: (config) => [gobgp.program, '-f', config, '-l', 'error', '--pprof-disable'],
};

/** Flatroute of a repository, as it is started on a machine. */
export function flatrouteOf(repository: string): ComparedProgram {
  const program = join(repository, 'node_modules/.bin/flatroute');
  return {
    program,
    config: `as: 65000
routerId: 10.200.0.1
clusterId: 1.1.1.1
listen: 10.200.0.1:179
clients: [{ range: 10.200.0.0/16, as: 65000 }]
`,
    command: (config) => [program, 'reflector', '--config', config],
  };
}

/** The daemons of others, by the names on the command line. */
export const OTHERS: Readonly<Record<string, ComparedProgram>> = { bird, frr, openbgpd, gobgp };

export const isInstalled = ({ program }: ComparedProgram): boolean => existsSync(program);

/** Writes the configuration and whatever else the daemon needs; returns the command that starts it. */
export async function prepareDaemon(
  name: string,
  daemon: ComparedProgram,
  folder: string,
): Promise<string[]> {
  const config = join(folder, `${name}.conf`);
  writeFileSync(config, daemon.config.replaceAll('FOLDER', folder), { mode: daemon.mode ?? 0o644 });
  await daemon.prepare?.(folder);
  return daemon.command(config, folder);
}

/** A process with all its descendants. */
function family(pid: number): number[] {
  const parents = readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .map((name) => [Number(name), parentOf(Number(name))]);
  const children = (of: number): number[] =>
    parents.filter(([, parent]) => parent === of).flatMap(([child]) => [child, ...children(child)]);
  return [pid, ...children(pid)];
}

function parentOf(pid: number): number {
  try {
    return Number(/^PPid:\s*(\d+)/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1]);
  } catch {
    return 0; // it exited meanwhile
  }
}

function commandLine(pid: number): string[] {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, 'utf8').split('\0');
  } catch {
    return [];
  }
}
