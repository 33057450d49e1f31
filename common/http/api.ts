/** The endpoints of the status server: request → document. */
import { once } from 'node:events';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { setImmediate } from 'node:timers/promises';
import { type IPAddress, IPPrefix, parseAddress, parseInterfaceAddress } from 'bgp-js/ip';
import { ConfigError } from '../config/config.ts';
import { type DryRunEndpoint, readBody } from './dry-run.ts';
import { type PageFile, pageFiles } from './page-files.ts';
import { PEER_SORTS, PEER_STATES, type PeersQuery, selectPeers } from './peer-selection.ts';
import { RequestError } from './request-error.ts';
import type { RoutesQuery, StatusSource } from './source.ts';

/** The sources of the documents. */
export interface Endpoints {
  source: StatusSource;
  plan?: DryRunEndpoint;
}

/** Answers one request; throws `RequestError` if it is invalid. */
export async function answer(
  { source, plan }: Endpoints,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  const url = URL.parse(request.url ?? '/', 'http://localhost');
  if (url === null) throw new RequestError(400, 'the path is not valid');
  const file = pageFiles.get(url.pathname);
  if (file !== undefined) return sendFile(response, file);
  switch (url.pathname) {
    case '/v1/status':
      return sendJson(response, 200, await source.status());
    case '/v1/peers':
      return sendPeers(response, source, url.searchParams);
    case '/v1/routes': {
      const { routes, total } = await source.routes(routesQuery(url.searchParams));
      return sendList(response, { name: 'routes', items: routes, rest: { total } });
    }
    case '/v1/plan':
      return sendJson(response, 200, await answerPlan(plan, request, url.searchParams));
    case '/v1/policies':
      return sendList(response, { name: 'policies', items: await source.policies() });
    case '/v1/pods':
      if (source.pods === undefined)
        throw new RequestError(404, 'a reflector has no pods; ask the agent of a node');
      return sendList(response, { name: 'pods', items: await source.pods() });
    case '/v1/explain':
      if (source.explain === undefined) {
        throw new RequestError(404, 'a reflector cannot explain addresses; ask the agent of a node');
      }
      return sendJson(response, 200, await source.explain(explainAddress(url.searchParams)));
    case '/metrics':
      return send(response, 200, 'text/plain; version=0.0.4; charset=utf-8', await source.metrics());
    case '/healthz':
      return sendJson(response, 200, { status: 'ok' });
    case '/readyz': {
      const readiness = source.ready();
      return sendJson(response, readiness.ready ? 200 : 503, readiness);
    }
    default:
      throw new RequestError(404, 'not found; see /v1/status, /v1/peers, /v1/routes, /metrics or /');
  }
}

async function sendPeers(
  response: ServerResponse,
  source: StatusSource,
  parameters: URLSearchParams,
): Promise<void> {
  const query = peersQuery(parameters);
  const { peers, total, states } = selectPeers(await source.peers(), query);
  return sendList(response, { name: 'peers', items: peers, rest: { total, states } });
}

/** Answers a dry run. Only the Unix socket offers it (server.ts), because a configuration can name files. */
async function answerPlan(
  plan: DryRunEndpoint | undefined,
  request: IncomingMessage,
  parameters: URLSearchParams,
): Promise<object> {
  if (request.method !== 'POST') throw new RequestError(405, 'use POST, with a configuration as the body');
  if (plan === undefined) throw new RequestError(404, 'this daemon has no dry run');
  const { file = 'the configuration' } = singleParameters(parameters, ['file']);
  try {
    return await plan(await readBody(request), file);
  } catch (error) {
    if (error instanceof ConfigError) throw new RequestError(400, error.message);
    throw error;
  }
}

/** Sends an error as the document { error: "…" }. */
export function sendError(response: ServerResponse, error: RequestError): void {
  sendJson(response, error.status, { error: error.message });
}

function routesQuery(parameters: URLSearchParams): RoutesQuery {
  const given = singleParameters(parameters, ['prefix', 'longest', 'moreSpecifics', 'limit', 'offset', 'q']);
  return {
    prefix: given.prefix === undefined ? undefined : prefixParameter(given.prefix),
    match: routeMatch(given),
    q: searchText(given.q),
    limit: wholeNumber(given.limit, 'limit', 1, 1000, 100),
    offset: wholeNumber(given.offset, 'offset', 0, 0xffffffff, 0),
  };
}

function routeMatch(given: Record<string, string | undefined>): RoutesQuery['match'] {
  const longest = isSet(given.longest);
  const moreSpecifics = isSet(given.moreSpecifics);
  if (longest && moreSpecifics)
    throw new RequestError(400, 'longest and moreSpecifics exclude each other; give one of them');
  if (longest && given.prefix === undefined) throw new RequestError(400, 'longest needs prefix=ADDRESS');
  if (moreSpecifics && given.prefix === undefined)
    throw new RequestError(400, 'moreSpecifics needs prefix=ADDRESS/LENGTH');
  return longest ? 'longest' : moreSpecifics ? 'moreSpecifics' : 'exact';
}

/** Whether a parameter is given with a value other than 0 and false. */
function isSet(text: string | undefined): boolean {
  return text !== undefined && text !== '0' && text !== 'false';
}

function peersQuery(parameters: URLSearchParams): PeersQuery {
  const given = singleParameters(parameters, ['state', 'q', 'sort', 'limit', 'offset']);
  return {
    state: oneOf(given.state, 'state', PEER_STATES),
    q: searchText(given.q),
    sort: oneOf(given.sort, 'sort', PEER_SORTS),
    limit: wholeNumber(given.limit, 'limit', 1, 100_000, 100_000),
    offset: wholeNumber(given.offset, 'offset', 0, 0xffffffff, 0),
  };
}

function searchText(text: string | undefined): string | undefined {
  if (text !== undefined && text.length > 64) throw new RequestError(400, 'q is longer than 64 characters');
  return text === undefined || text.trim() === '' ? undefined : text.trim();
}

function oneOf<T extends string>(text: string | undefined, name: string, known: readonly T[]): T | undefined {
  if (text === undefined) return undefined;
  const found = known.find((value) => value === text.toLowerCase());
  if (found === undefined) throw new RequestError(400, `${name} must be one of ${known.join(', ')}`);
  return found;
}

function explainAddress(parameters: URLSearchParams): IPAddress {
  const { address } = singleParameters(parameters, ['address']);
  if (address === undefined)
    throw new RequestError(400, 'address is missing: ask for /v1/explain?address=10.244.1.5');
  const found = parseAddress(address);
  if (found === null) throw new RequestError(400, `${quoted(address)} is not an IP address`);
  return found;
}

/** The parameters by name. Unknown and repeated ones are errors, because ignoring them would answer another question. */
function singleParameters(
  parameters: URLSearchParams,
  known: readonly string[],
): Record<string, string | undefined> {
  const given: Record<string, string | undefined> = {};
  for (const [name, value] of parameters) {
    if (!known.includes(name)) {
      throw new RequestError(
        400,
        `unknown parameter ${quoted(name)}; the parameters are ${known.join(', ')}`,
      );
    }
    if (given[name] !== undefined) throw new RequestError(400, `${name} is given twice`);
    given[name] = value;
  }
  return given;
}

/** A prefix, or an address as a /32 or /128. */
function prefixParameter(text: string): IPPrefix {
  const address = parseAddress(text);
  if (address !== null) return IPPrefix.host(address);
  const found = parseInterfaceAddress(text);
  if (found === null) {
    throw new RequestError(
      400,
      `${quoted(text)} is neither an address nor a prefix (example: 10.244.1.0/26)`,
    );
  }
  const prefix = IPPrefix.of(found.address, found.length);
  if (prefix.address.sameBits(found.address)) return prefix;
  throw new RequestError(400, `${text} has host bits set; did you mean ${prefix}?`);
}

function wholeNumber(
  text: string | undefined,
  name: string,
  minimum: number,
  maximum: number,
  fallback: number,
): number {
  if (text === undefined) return fallback;
  const value = /^\d{1,10}$/.test(text) ? Number(text) : -1;
  if (value >= minimum && value <= maximum) return value;
  throw new RequestError(400, `${name} must be a whole number of ${minimum}–${maximum}`);
}

function quoted(text: string): string {
  return JSON.stringify(text.length > 60 ? `${text.slice(0, 59)}…` : text);
}

function sendFile(response: ServerResponse, file: PageFile): void {
  send(response, 200, file.type, file.content);
}

function sendJson(response: ServerResponse, status: number, document: object): void {
  send(response, status, 'application/json; charset=utf-8', `${JSON.stringify(document)}\n`);
}

function send(response: ServerResponse, status: number, type: string, body: string | Buffer): void {
  response.writeHead(status, { 'Content-Type': type, 'Content-Length': Buffer.byteLength(body) });
  // For HEAD, node:http leaves the body out.
  response.end(body);
}

interface ListDocument {
  name: string;
  items: readonly object[];
  rest?: Record<string, unknown>;
}

const SLICE = 100;

/** Sends { name: items, …rest } in slices, so that thousands of items neither delay BGP nor accumulate in memory. */
async function sendList(response: ServerResponse, { name, items, rest = {} }: ListDocument): Promise<void> {
  response.writeHead(200, { 'Content-Type': 'application/json; charset=utf-8' });
  response.write(`{${JSON.stringify(name)}:[`);
  for (let start = 0; start < items.length; start += SLICE) {
    const texts = items.slice(start, start + SLICE).map((item) => JSON.stringify(item));
    const drained = response.write((start === 0 ? '' : ',') + texts.join(','));
    if (start + SLICE >= items.length) break;
    // The server's time limit closes the connection of a client that stops reading.
    if (!drained) await Promise.race([once(response, 'drain'), once(response, 'close')]);
    else await setImmediate();
    if (response.destroyed) return;
  }
  const tail = Object.entries(rest).map(([key, value]) => `,${JSON.stringify(key)}:${JSON.stringify(value)}`);
  response.end(`]${tail.join('')}}\n`);
}
