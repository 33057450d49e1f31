// Set-up for `npm start` and `npm test`: the npm packages and the Debian packages, each only when missing or stale, and
// the build. Plain JavaScript for Node 20 without dependencies, because it runs before any are installed.

import { spawnSync } from 'node:child_process';
import { accessSync, constants, existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

/** The root of the repository. */
export const root = dirname(dirname(fileURLToPath(import.meta.url)));
/** Node 24, from the npm package `node`; everything written in TypeScript runs on it. */
export const node24 = join(root, 'node_modules/.bin/node');

const sbin = ['/usr/local/sbin', '/usr/sbin', '/sbin'];
/** PATH with the folders of system tools, which some root shells lack. */
export const toolPath = [...new Set([...(process.env.PATH ?? '').split(':'), ...sbin])].join(':');

/** The commands that labs and tests run, with their Debian packages. */
const tools = [
  { command: 'ip', package: 'iproute2', why: 'namespaces and links of the lab' },
  { command: 'ping', package: 'iputils-ping', why: 'reachability with round-trip times' },
  { command: 'bird', package: 'bird2', why: 'the ToR switch of the lab' },
  { command: 'vtysh', package: 'frr', why: 'a router of the interop matrix', interop: true },
  { command: 'gobgpd', package: 'gobgpd', why: 'a router of the interop matrix', interop: true },
  { command: 'bgpctl', package: 'openbgpd', why: 'a router of the interop matrix', interop: true },
  { command: 'exabgp', package: 'exabgp', why: 'a router of the interop matrix', interop: true },
  { command: 'tshark', package: 'tshark', why: 'an independent codec for the interop matrix', interop: true },
  { command: 'scapy3', package: 'python3-scapy', why: 'another independent codec', interop: true },
  { command: 'nft', package: 'nftables', why: 'tests that cut a session' },
  { command: 'tcpdump', package: 'tcpdump', why: 'tests that check packets' },
  { command: 'nsenter', package: 'util-linux', why: 'running programs in a namespace' },
  { command: 'gcc', package: 'gcc', why: 'building the CNI plugin' },
  { command: 'musl-gcc', package: 'musl-tools', why: 'linking the CNI plugin statically' },
];

/** Services that Debian would start on the machine; the labs run their own daemons in namespaces. */
/** @type {Record<string, string | undefined>} */
const services = { bird2: 'bird', frr: 'frr', gobgpd: 'gobgpd', openbgpd: 'openbgpd', exabgp: 'exabgp' };
/** Debian asks this program whether an installation may start a service (invoke-rc.d(8)); exit code 101 means no. */
const policy = '/usr/sbin/policy-rc.d';

/**
 * Installs all packages, with `interop` also the routers of the matrix. Throws an Error that says what is missing.
 * @param {boolean} interop
 */
export function setUp(interop) {
  if (process.platform !== 'linux') throw new Error('Flatroute needs Linux: its labs are network namespaces');
  if (process.getuid?.() !== 0)
    throw new Error('run this as root: the labs create network namespaces and routes');
  setUpDebianPackages(interop);
  setUpNpmPackages();
}

/** Runs `npm ci` unless what is installed is what package-lock.json says. */
export function setUpNpmPackages() {
  const stale = staleReason();
  if (!stale) return;
  step(`npm packages: ${stale}`, () => {
    // The scripts of packages must not run on the Node that this command replaces.
    const path = toolPath.split(':').filter((folder) => !folder.endsWith('node_modules/.bin'));
    run('npm', ['ci', '--no-audit', '--no-fund', '--loglevel=error'], { PATH: path.join(':') });
    const still = staleReason();
    if (still) throw new Error(`npm ci succeeded, but ${still}`);
  });
}

/** Why `folder`/node_modules must be installed again, or undefined. npm leaves a record of what it installed there. */
export function staleReason(folder = root) {
  const record = join(folder, 'node_modules/.package-lock.json');
  if (!existsSync(record)) return 'not installed yet';
  if (!existsSync(join(folder, 'node_modules/.bin/node'))) return 'Node 24 is missing';
  const wanted = JSON.parse(readFileSync(join(folder, 'package-lock.json'), 'utf8')).packages;
  const installed = JSON.parse(readFileSync(record, 'utf8')).packages;
  for (const [path, entry] of Object.entries(wanted)) {
    if (path === '') continue;
    const found = installed[path];
    if (!found) {
      if (entry.optional) continue;
      return `${path} is not installed`;
    }
    const same = ['version', 'integrity', 'link', 'bin', 'dependencies'].every(
      (key) => JSON.stringify(found[key]) === JSON.stringify(entry[key]),
    );
    if (!same) return `${path} differs from package-lock.json`;
  }
  return undefined;
}

/**
 * Installs the Debian packages whose commands are missing.
 * @param {boolean} interop
 */
function setUpDebianPackages(interop) {
  const missing = tools.filter((tool) => (interop || !tool.interop) && !findCommand(tool.command));
  if (missing.length === 0) return;
  const names = [...new Set(missing.map((tool) => tool.package))];
  if (!findCommand('apt-get')) {
    const list = missing.map((tool) => `${tool.command} (${tool.why})`).join(', ');
    throw new Error(`commands are missing, and there is no apt-get to install them: ${list}`);
  }
  step(`Debian packages: ${names.join(' ')}`, () => {
    const install = [
      'install',
      '-y',
      '-q',
      '--no-install-recommends',
      '-o',
      'DPkg::Lock::Timeout=120',
      ...names,
    ];
    withoutStartingServices(() => aptInstall(install));
    const systemd = existsSync('/run/systemd/system');
    const units = names.flatMap((name) => services[name] ?? []);
    if (units.length > 0 && systemd) run('systemctl', ['disable', '--quiet', ...units]);
  });
}

/** @param {() => void} work */
function withoutStartingServices(work) {
  // An existing policy belongs to the administrator.
  const ours = !existsSync(policy);
  if (ours) writeFileSync(policy, '#!/bin/sh\nexit 101\n', { mode: 0o755 });
  try {
    work();
  } finally {
    if (ours) rmSync(policy);
  }
}

/** @param {string[]} install */
function aptInstall(install) {
  // The first attempt fails when package lists are missing or old, or when an installation was interrupted, which dpkg must
  // complete first. Only then are the lists fetched.
  if (tryApt(install) === 0) return;
  run('dpkg', ['--configure', '-a']);
  aptOrThrow(['update', '-q']);
  aptOrThrow(install);
}

/**
 * Builds what ships, or the named parts of it (build.ts), so that what is tested is what is installed.
 * @param {string[]} parts
 */
export function build(...parts) {
  const result = spawnSync(node24, [join(root, 'scripts/build.ts'), ...parts], {
    cwd: root,
    encoding: 'utf8',
    env: { ...process.env, PATH: toolPath },
  });
  if (result.status !== 0) throw new Error(`the build failed:\n${result.stderr}${result.stdout}`);
}

/** @param {string[]} args */
function tryApt(args) {
  const env = { ...process.env, PATH: toolPath, DEBIAN_FRONTEND: 'noninteractive' };
  lastApt = spawnSync('apt-get', args, { env, encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] });
  return lastApt.status;
}
/** @type {import('node:child_process').SpawnSyncReturns<string> | undefined} */
let lastApt;

/** @param {string[]} args */
function aptOrThrow(args) {
  if (tryApt(args) !== 0)
    throw new Error(`apt-get ${args.join(' ')} failed:\n${lastApt?.stdout}${lastApt?.stderr}`);
}

/**
 * @param {string} command
 * @param {string[]} args
 * @param {Record<string, string>} env added to the environment
 */
function run(command, args, env = {}) {
  const result = spawnSync(command, args, {
    cwd: root,
    env: { ...process.env, PATH: toolPath, ...env },
    stdio: ['ignore', 2, 2],
  });
  if (result.error) throw new Error(`${command} cannot be run: ${result.error.message}`);
  if (result.status !== 0) throw new Error(`${command} ${args.join(' ')} failed (see above)`);
}

/** @param {string} command */
function findCommand(command) {
  return toolPath.split(':').some((folder) => {
    try {
      accessSync(join(folder, command), constants.X_OK);
      return true;
    } catch {
      return false;
    }
  });
}

// Progress goes to stderr, so that the output of a command can be piped.
/**
 * @param {string} text
 * @param {() => void} work
 */
function step(text, work) {
  const started = process.hrtime.bigint();
  process.stderr.write(`set-up  ${text}\n`);
  work();
  const seconds = Number(process.hrtime.bigint() - started) / 1e9;
  process.stderr.write(`set-up  done in ${seconds.toFixed(1)} s\n`);
}
