/** `POST /v1/plan`: a dry run of a configuration. */
import type { IncomingMessage } from 'node:http';
import { dryRun, type PeerConfig, type PolicySet, type Speaker } from 'bgp-js';
import { type ConfigFormat, MAXIMUM_CONFIG_BYTES, parseConfig } from '../config/config.ts';
import type { ChangedKeys } from '../config/diff.ts';
import { TimeSlicing } from '../process/time-slicing.ts';
import type { PlanView } from './api-documents.ts';
import { RequestError } from './request-error.ts';

/** Answers what a reload of the configuration `text` would do; `file` is its name in errors. Throws ConfigError. */
export type DryRunEndpoint = (text: string, file: string) => Promise<PlanView>;

/** Parses the configuration here at the edge; the daemon plans with settings. */
export function dryRunEndpoint<C, S>(
  format: ConfigFormat<C, S>,
  plan: (settings: S) => Promise<PlanView>,
): DryRunEndpoint {
  return async (text, file) => plan(parseConfig(text, file, format));
}

const work = new TimeSlicing();

/** Plans a change of the speaker's peers and policies; `keys` are the keys of the configuration that differ. */
export async function planView(
  speaker: Speaker,
  policies: PolicySet,
  configs: readonly PeerConfig[],
  keys: ChangedKeys,
): Promise<PlanView> {
  const peers = await work.run(() => dryRun(speaker, policies, configs));
  return {
    ...keys,
    peers: peers.map(({ received: taken, advertised: told, ...rest }) => ({
      ...rest,
      ...(taken && { taken }),
      ...(told && { told }),
    })),
  };
}

/** The body of a request as text. Throws RequestError if it is too long or not UTF-8. */
export async function readBody(request: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  let length = 0;
  for await (const chunk of request as AsyncIterable<Buffer>) {
    length += chunk.length;
    if (length > MAXIMUM_CONFIG_BYTES)
      throw new RequestError(413, `the configuration is larger than ${MAXIMUM_CONFIG_BYTES} bytes`);
    chunks.push(chunk);
  }
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(Buffer.concat(chunks));
  } catch {
    throw new RequestError(400, 'the configuration is not UTF-8 text');
  }
}
