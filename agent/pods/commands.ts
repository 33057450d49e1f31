/** The commands of CNI (spec section 2). Each takes a checked request and returns the result that the plugin prints. */
import type { Ipam } from '../ipam/ipam.ts';
import { type Allocation, type AttachmentId, ownerKey, ownerName } from '../ipam/store.ts';
import type { Attachments } from './attachments.ts';
import type { KeyedQueue } from './concurrency.ts';
import { CniError, CODE } from './errors.ts';
import type { OnPodEvent } from './events.ts';
import { describeFaults } from './inspect.ts';
import { type CniRequest, type Command, isObject, type JsonObject, SUPPORTED_VERSIONS } from './request.ts';
import { addResult, expectedAddresses, expectedInterface } from './result.ts';

/** What the commands work with. */
export interface CommandTools {
  ipam: Ipam;
  attachments: Attachments;
  /** Serialises the operations of one container. */
  containers: KeyedQueue;
  onEvent: OnPodEvent;
}

/** Executes a request. Returns the result to print, undefined if the command has none. Throws a CniError. */
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

async function add({ attachments }: CommandTools, request: CniRequest): Promise<JsonObject> {
  const { wired } = await attachments.attach(request);
  return addResult(request, wired);
}

/** Succeeds whatever is left of the pod, and also when it is repeated (spec section 2, "DEL"). */
async function remove({ attachments }: CommandTools, owner: AttachmentId): Promise<undefined> {
  await attachments.detach(owner);
}

async function check({ ipam, attachments, onEvent }: CommandTools, request: CniRequest): Promise<undefined> {
  const allocation = ipam.get(request);
  const entry = expectedInterface(request);
  const faults = await attachments.check(request, entry ?? {});
  const unlisted = (what: string): number =>
    faults.push({ kind: 'changed', text: `prevResult does not list ${what}` });
  if (entry === undefined) unlisted(`${request.ifname} in ${request.netns}`);
  const listed = expectedAddresses(request);
  for (const address of allocation?.addresses ?? []) {
    if (!listed.some((other) => other.equals(address))) unlisted(`the allocated address ${address}`);
  }
  if (faults.length === 0) return;
  const pod = { name: allocation ? ownerName(allocation) : request.containerId };
  onEvent({ kind: 'faulty', pod, found: 'by CHECK', faults: describeFaults(faults) });
  throw new CniError(
    CODE.CHECK_FAILED,
    `the wiring of ${ownerKey(request)} is not as ADD left it`,
    describeFaults(faults),
  );
}

/** Removes the attachments of this network that the runtime does not list; continues after errors (section 2, "GC"). */
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
  // Without the list every attachment would count as stale.
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
