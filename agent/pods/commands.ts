/** The commands of CNI, each a function of the checked request to what is printed (spec section 2). */
import type { Ipam } from '../ipam/ipam.ts';
import { type Allocation, ownerKey, ownerName } from '../ipam/store.ts';
import type { Attachments } from './attachments.ts';
import type { KeyedQueue } from './concurrency.ts';
import { CniError, CODE } from './errors.ts';
import { describe } from './inspect.ts';
import { type CniRequest, type Command, isObject, type JsonObject, SUPPORTED_VERSIONS } from './request.ts';
import { addResult, expectedAddresses, expectedInterface } from './result.ts';

/** Tells what happened to a pod. */
export type OnPodEvent = (level: 'info' | 'warn' | 'error', subject: string, text: string) => void;

export interface CommandTools {
  ipam: Ipam;
  attachments: Attachments;
  /** Serialises the operations of one container. */
  containers: KeyedQueue;
  onEvent: OnPodEvent;
}

/** Carries a request out. Returns what is printed, undefined for nothing. Throws a CniError. */
export function execute(tools: CommandTools, request: CniRequest): Promise<JsonObject | undefined> {
  return COMMANDS[request.command](tools, request);
}

const COMMANDS: Record<
  Command,
  (tools: CommandTools, request: CniRequest) => Promise<JsonObject | undefined>
> = {
  ADD: (tools, request) => tools.containers.run(request.containerId, () => add(tools, request)),
  DEL: (tools, request) => tools.containers.run(request.containerId, () => remove(tools, request)),
  CHECK: (tools, request) => tools.containers.run(request.containerId, () => check(tools, request)),
  GC: collect,
  STATUS: status,
  VERSION: version,
};

async function add({ attachments, onEvent }: CommandTools, request: CniRequest): Promise<JsonObject> {
  const { allocation, wired } = await attachments.attach(request);
  onEvent(
    'info',
    ownerName(allocation),
    `attached with ${allocation.address} over ${allocation.hostInterface}`,
  );
  return addResult(request, wired);
}

/** Ends well whatever is left of the pod, and however often it is asked for. */
async function remove(
  { attachments, onEvent }: CommandTools,
  owner: { containerId: string; ifname: string },
): Promise<undefined> {
  const allocation = await attachments.detach(owner);
  if (allocation) onEvent('info', ownerName(allocation), `detached, ${allocation.address} is released`);
}

async function check({ ipam, attachments, onEvent }: CommandTools, request: CniRequest): Promise<undefined> {
  const allocation = ipam.get(request);
  const entry = expectedInterface(request);
  const faults = await attachments.check(request, entry ?? {});
  const unlisted = (what: string): number =>
    faults.push({ kind: 'changed', text: `prevResult does not list ${what}` });
  if (entry === undefined) unlisted(`${request.ifname} in ${request.netns}`);
  if (allocation && !expectedAddresses(request).includes(allocation.address)) {
    unlisted(`the allocated address ${allocation.address}`);
  }
  if (faults.length === 0) return;
  onEvent('warn', allocation ? ownerName(allocation) : request.containerId, `CHECK: ${describe(faults)}`);
  throw new CniError(
    CODE.CHECK_FAILED,
    `${ownerKey(request)} is not wired as it should be`,
    describe(faults),
  );
}

/** Removes what the runtime does not list, in this network only; goes on after errors (spec section 2, "GC"). */
async function collect(tools: CommandTools, request: CniRequest): Promise<undefined> {
  const valid = validAttachments(request.config);
  const stale = [...tools.ipam.all()].filter(
    (allocation) => allocation.network === request.network && !valid.has(ownerKey(allocation)),
  );
  const remaining = await Promise.all(stale.map((allocation) => collectOne(tools, allocation)));
  const failed = remaining.filter((text) => text !== undefined);
  if (failed.length > 0) {
    throw new CniError(CODE.IO_FAILURE, `${failed.length} stale attachments remain`, failed.join('; '));
  }
}

async function collectOne(tools: CommandTools, allocation: Allocation): Promise<string | undefined> {
  try {
    await tools.containers.run(allocation.containerId, () => remove(tools, allocation));
    return undefined;
  } catch (error) {
    return `${ownerKey(allocation)}: ${(error as Error).message}`;
  }
}

function validAttachments(config: JsonObject): Set<string> {
  const key = 'cni.dev/valid-attachments';
  const list = config[key];
  // Without the list everything would count as stale.
  if (!Array.isArray(list)) throw new CniError(CODE.INVALID_CONFIG, `GC needs a list in "${key}"`);
  return new Set(
    list.map((entry) => {
      const { containerID, ifname } = isObject(entry) ? entry : {};
      if (typeof containerID === 'string' && typeof ifname === 'string')
        return ownerKey({ containerId: containerID, ifname });
      throw new CniError(CODE.INVALID_CONFIG, `an entry of "${key}" lacks containerID or ifname`);
    }),
  );
}

async function status({ ipam }: CommandTools): Promise<undefined> {
  if (ipam.hasFree()) return;
  throw new CniError(CODE.NOT_AVAILABLE, 'no free address is left on this node');
}

async function version(_tools: CommandTools, { config }: CniRequest): Promise<JsonObject> {
  return { cniVersion: config.cniVersion, supportedVersions: [...SUPPORTED_VERSIONS] };
}
