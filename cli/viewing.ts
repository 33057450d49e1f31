/** The commands that show what a running daemon knows. */
import type {
  ExplainView,
  PeersView,
  PodView,
  PolicyView,
  RouteView,
  StatusView,
} from '@flatroute/common/http/api-documents.ts';
import { CommandError, fetchDocument } from './client.ts';
import { policiesLines } from './policy-views.ts';
import { explainLines, routeLines, routesLines } from './route-views.ts';
import { peerLines, peersLines, podsLines, statusLines } from './views.ts';

/** Peers that are shown at once. */
const PEERS = 50;

/** What all viewing commands share. */
export interface ViewOptions {
  /** Path of the daemon's Unix socket. */
  socket: string;
  /** Print the document instead of tables. */
  json?: boolean;
}

function print(lines: readonly string[]): void {
  process.stdout.write(`${lines.join('\n')}\n`);
}

function printDocument(document: object): void {
  process.stdout.write(`${JSON.stringify(document, null, 2)}\n`);
}

/** `flatroute status`. */
export async function showStatus(options: ViewOptions): Promise<void> {
  const status = await fetchDocument<StatusView>(options.socket, '/v1/status');
  if (options.json) printDocument(status);
  else print(statusLines(status));
}

/** What `flatroute peers` shows of all the peers. */
export interface PeersOptions extends ViewOptions {
  state?: string;
  search?: string;
  sort: string;
  /** How many; Infinity for all. By default as many as a person reads, and all as JSON. */
  limit?: number;
  offset: number;
}

/** `flatroute peers [PEER]`: those that are asked for, or one in full by its name or address. */
export async function showPeers(target: string | undefined, options: PeersOptions): Promise<void> {
  if (target !== undefined) return showPeer(target, options);
  const { state, search, sort, offset, limit = options.json ? Number.POSITIVE_INFINITY : PEERS } = options;
  const query = new URLSearchParams({ sort, offset: String(offset) });
  if (state !== undefined) query.set('state', state);
  if (search !== undefined) query.set('q', search);
  if (limit !== Number.POSITIVE_INFINITY) query.set('limit', String(limit));
  const view = await fetchDocument<PeersView>(options.socket, `/v1/peers?${query}`);
  if (options.json) printDocument(view);
  else print(peersLines(view, offset));
}

async function showPeer(target: string, options: ViewOptions): Promise<void> {
  const { peers } = await fetchDocument<PeersView>(options.socket, '/v1/peers');
  const found = peers.filter((peer) => peer.name === target || peer.address === target);
  if (options.json) printDocument({ peers: found });
  if (found.length === 0) throw new CommandError(`there is no peer ${target}; "flatroute peers" lists them`);
  if (!options.json) print(found.flatMap((peer, index) => [...(index > 0 ? [''] : []), ...peerLines(peer)]));
}

/** `flatroute pods`. */
export async function showPods(options: ViewOptions): Promise<void> {
  const document = await fetchDocument<{ pods: PodView[] }>(options.socket, '/v1/pods');
  if (options.json) printDocument(document);
  else print(podsLines(document.pods));
}

/** `flatroute policies`. */
export async function showPolicies(options: ViewOptions): Promise<void> {
  const document = await fetchDocument<{ policies: PolicyView[] }>(options.socket, '/v1/policies');
  if (options.json) printDocument(document);
  else print(policiesLines(document.policies));
}

/** `flatroute explain ADDRESS`. */
export async function showExplain(address: string, options: ViewOptions): Promise<void> {
  const query = new URLSearchParams({ address });
  const view = await fetchDocument<ExplainView>(options.socket, `/v1/explain?${query}`);
  if (options.json) printDocument(view);
  else print(explainLines(view));
}

interface RoutesDocument {
  routes: RouteView[];
  total: number;
}

export interface RoutesOptions extends ViewOptions {
  /** How many; Infinity for all. */
  limit: number;
  offset: number;
  search?: string;
}

/** `flatroute routes [PREFIX or ADDRESS]`. */
export async function showRoutes(target: string | undefined, options: RoutesOptions): Promise<void> {
  if (target !== undefined) return showRoute(target, options);
  const document = await fetchRoutes(options);
  if (options.json) printDocument(document);
  else print(routesLines(document.routes, { ...options, total: document.total }));
}

/** An address asks for its longest match, a prefix for itself. */
async function showRoute(target: string, options: ViewOptions): Promise<void> {
  const isPrefix = target.includes('/');
  const query = new URLSearchParams({ prefix: target, ...(isPrefix ? {} : { longest: '1' }) });
  const document = await fetchDocument<RoutesDocument>(options.socket, `/v1/routes?${query}`);
  if (options.json) printDocument(document);
  const route = document.routes[0];
  if (route === undefined) {
    throw new CommandError(isPrefix ? `there is no route ${target}` : `no route leads to ${target}`);
  }
  if (!options.json) print(routeLines(route));
}

/** The most that the daemon gives at once. */
const PAGE = 1000;

async function fetchRoutes(options: RoutesOptions): Promise<RoutesDocument> {
  const routes: RouteView[] = [];
  for (;;) {
    const limit = Math.min(PAGE, options.limit - routes.length);
    const query = new URLSearchParams({
      limit: String(limit),
      offset: String(options.offset + routes.length),
    });
    if (options.search !== undefined) query.set('q', options.search);
    const page = await fetchDocument<RoutesDocument>(options.socket, `/v1/routes?${query}`);
    for (const route of page.routes) routes.push(route);
    if (page.routes.length < limit || routes.length >= options.limit) return { routes, total: page.total };
  }
}
