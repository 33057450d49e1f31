/** Checks a plugin's environment and standard input and makes a request of them (CNI spec sections 1 and 2). */
import { isAbsolute } from 'node:path';
import type { PluginRequest } from '@flatroute/cni/protocol.ts';
import { CniError, CODE, DEFAULT_VERSION } from './errors.ts';

/** The supported versions of the specification, oldest first. */
export const SUPPORTED_VERSIONS = ['0.3.1', '0.4.0', '1.0.0', '1.1.0'] as const;
/** A supported version. */
export type Version = (typeof SUPPORTED_VERSIONS)[number];

/** A command of the specification. */
export type Command = 'ADD' | 'DEL' | 'CHECK' | 'GC' | 'STATUS' | 'VERSION';

/** The variables that each command requires, and the first version that has the command. */
const COMMANDS: Record<Command, { required: readonly string[]; since: Version }> = {
  ADD: { required: ['CNI_CONTAINERID', 'CNI_NETNS', 'CNI_IFNAME'], since: '0.3.1' },
  DEL: { required: ['CNI_CONTAINERID', 'CNI_IFNAME'], since: '0.3.1' },
  CHECK: { required: ['CNI_CONTAINERID', 'CNI_NETNS', 'CNI_IFNAME'], since: '0.4.0' },
  GC: { required: [], since: '1.1.0' },
  STATUS: { required: [], since: '1.1.0' },
  VERSION: { required: [], since: '0.3.1' },
};

const NAME = /^[A-Za-z0-9][A-Za-z0-9_.-]*$/;
const CONTAINER_ID_MAX = 255;
const NETNS_MAX = 4095;
/** Names and UIDs of Kubernetes objects. Anything else is ignored, because terminals and pages display them. */
const POD_NAME = /^[A-Za-z0-9.-]{1,253}$/;

/** A JSON object whose fields are not checked yet. */
export type JsonObject = Record<string, unknown>;

/** A checked request. Fields that its command does not need are empty. */
export interface CniRequest {
  command: Command;
  version: Version;
  containerId: string;
  ifname: string;
  netns: string;
  /** The pod, if CNI_ARGS has K8S_POD_NAMESPACE and K8S_POD_NAME. */
  pod?: { namespace: string; name: string; uid?: string };
  /** Name of the network configuration. */
  network: string;
  /** The whole network configuration, also unknown fields. */
  config: JsonObject;
  prevResult?: JsonObject;
}

/** Whether a value is a JSON object. */
export function isObject(value: unknown): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** The version for an error about a request that may be unreadable: that of the configuration, or a default. */
export function versionForError(request: PluginRequest): string {
  try {
    const version = (JSON.parse(request.stdin.toString('utf8')) as JsonObject | null)?.cniVersion;
    if (typeof version === 'string' && /^[0-9.]{1,16}$/.test(version)) return version;
  } catch {
    // parseRequest reports that it is not JSON.
  }
  return DEFAULT_VERSION;
}

/** Checks a request. Throws a CniError with code 1, 2, 4, 6 or 7. */
export function parseRequest({ environment, stdin }: PluginRequest): CniRequest {
  const command = parseCommand(environment);
  const config = parseConfig(stdin, command);
  const version = parseVersion(config, command);
  const request: CniRequest = {
    command,
    version,
    containerId: '',
    ifname: '',
    netns: '',
    network: '',
    config,
  };
  // podman sends VERSION with CNI_IFNAME and CNI_NETNS "dummy", so other variables are not checked.
  if (command === 'VERSION') return request;
  request.containerId = environment.get('CNI_CONTAINERID') ?? '';
  request.ifname = environment.get('CNI_IFNAME') ?? '';
  request.netns = environment.get('CNI_NETNS') ?? '';
  if (COMMANDS[command].required.length > 0) checkAttachment(request);
  request.pod = parsePod(environment.get('CNI_ARGS') ?? '');
  checkConfig(request);
  return request;
}

function parseCommand(environment: ReadonlyMap<string, string>): Command {
  const command = environment.get('CNI_COMMAND') ?? '';
  if (!Object.hasOwn(COMMANDS, command)) {
    const found =
      command === '' ? 'CNI_COMMAND is missing' : `CNI_COMMAND ${JSON.stringify(command)} is unknown`;
    throw new CniError(
      CODE.INVALID_ENVIRONMENT,
      `${found}; the commands are ${Object.keys(COMMANDS).join(', ')}`,
    );
  }
  const { required } = COMMANDS[command as Command];
  const missing = required.filter((name) => !environment.get(name));
  if (missing.length > 0) {
    throw new CniError(
      CODE.INVALID_ENVIRONMENT,
      `${command} requires ${missing.join(', ')} in the environment`,
    );
  }
  return command as Command;
}

function parseConfig(stdin: Buffer, command: Command): JsonObject {
  const text = stdin.toString('utf8');
  if (command === 'VERSION' && text.trim() === '') return { cniVersion: SUPPORTED_VERSIONS.at(-1) };
  let config: unknown;
  try {
    config = JSON.parse(text);
  } catch (error) {
    throw new CniError(
      CODE.DECODE_FAILURE,
      'the network configuration is not JSON',
      (error as Error).message,
    );
  }
  if (!isObject(config))
    throw new CniError(CODE.DECODE_FAILURE, 'the network configuration is not a JSON object');
  return config;
}

function parseVersion(config: JsonObject, command: Command): Version {
  const { cniVersion } = config;
  const index = SUPPORTED_VERSIONS.indexOf(cniVersion as Version);
  // VERSION asks for the supported versions, so it may have any version itself.
  if (command === 'VERSION') return index < 0 ? '1.1.0' : SUPPORTED_VERSIONS[index];
  if (index < 0) {
    const found = cniVersion === undefined ? 'is missing' : `${JSON.stringify(cniVersion)} is not supported`;
    throw new CniError(
      CODE.INCOMPATIBLE_VERSION,
      `cniVersion ${found}; supported versions are ${SUPPORTED_VERSIONS.join(', ')}`,
    );
  }
  const { since } = COMMANDS[command];
  if (index < SUPPORTED_VERSIONS.indexOf(since)) {
    throw new CniError(
      CODE.INCOMPATIBLE_VERSION,
      `${command} needs cniVersion ${since} or later, not ${cniVersion}`,
    );
  }
  return SUPPORTED_VERSIONS[index];
}

function checkAttachment({ command, containerId, ifname, netns }: CniRequest): void {
  const wrong: string[] = [];
  if (!NAME.test(containerId) || containerId.length > CONTAINER_ID_MAX) {
    wrong.push(`CNI_CONTAINERID must match ${NAME.source} and have at most ${CONTAINER_ID_MAX} characters`);
  }
  // The kernel's own rules (dev_valid_name), checked here so that the error names the variable.
  if (ifname === '.' || ifname === '..' || Buffer.byteLength(ifname) > 15 || /[/:\s]/.test(ifname)) {
    wrong.push('CNI_IFNAME must be an interface name: 1 to 15 bytes without "/", ":" and white space');
  }
  if (command !== 'DEL' && (!isAbsolute(netns) || netns.length > NETNS_MAX)) {
    wrong.push('CNI_NETNS must be an absolute path');
  }
  if (wrong.length > 0) throw new CniError(CODE.INVALID_ENVIRONMENT, wrong.join('; '));
}

/** Reads CNI_ARGS, KEY=VALUE;KEY=VALUE in any order. Ignores unknown keys and values that cannot be names. */
function parsePod(args: string): CniRequest['pod'] {
  const values = new Map<string, string>();
  for (const pair of args.split(';')) {
    const equals = pair.indexOf('=');
    const value = pair.slice(equals + 1);
    if (equals > 0 && POD_NAME.test(value)) values.set(pair.slice(0, equals), value);
  }
  const namespace = values.get('K8S_POD_NAMESPACE');
  const name = values.get('K8S_POD_NAME');
  const uid = values.get('K8S_POD_UID');
  return namespace && name ? { namespace, name, ...(uid && { uid }) } : undefined;
}

function checkConfig(request: CniRequest): void {
  const { command, config } = request;
  const { name, ipam, prevResult } = config;
  if (typeof name !== 'string' || !NAME.test(name)) {
    throw new CniError(CODE.INVALID_CONFIG, `the network configuration's "name" must match ${NAME.source}`);
  }
  request.network = name;
  if (isObject(ipam) && ipam.type !== undefined) {
    const details =
      'Flatroute allocates addresses from podCIDRs itself; remove "ipam" from the configuration';
    throw new CniError(
      CODE.UNSUPPORTED_FIELD,
      `ipam.type ${JSON.stringify(ipam.type)} is not supported`,
      details,
    );
  }
  if (prevResult !== undefined && prevResult !== null) {
    if (!isObject(prevResult)) throw new CniError(CODE.INVALID_CONFIG, 'prevResult is not an object');
    for (const list of ['interfaces', 'ips', 'routes']) {
      const value = prevResult[list] ?? [];
      if (!Array.isArray(value) || !value.every(isObject)) {
        throw new CniError(CODE.INVALID_CONFIG, `prevResult.${list} is not a list of objects`);
      }
    }
    request.prevResult = prevResult;
  } else if (command === 'CHECK') {
    throw new CniError(CODE.INVALID_CONFIG, 'CHECK needs the result of ADD as prevResult');
  }
}
