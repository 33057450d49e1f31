/** The commands that show the state of a running daemon. */
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

/** How many peers are shown by default. */
const PEERS = 50;

/** The options of every viewing command. */
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

/** The options of `flatroute status`. */
export interface StatusOptions extends ViewOptions {
  /** Also show the percentiles of the event loop. */
  verbose?: boolean;
}

/** `flatroute status`. */
export async function showStatus(options: StatusOptions): Promise<void> {
  const status = await fetchDocument<StatusView>(options.socket, '/v1/status');
  if (options.json) printDocument(status);
  else print(statusLines(status, options.verbose));
}

/** Which peers `flatroute peers` shows. */
export interface PeersOptions extends ViewOptions {
  state?: string;
  search?: string;
  sort: string;
  /** How many; Infinity for all. By default `PEERS`, and all with `json`. */
  limit?: number;
  offset: number;
}

/** `flatroute peers [PEER]`: a list, or one in full by its name or address. */
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
  if (found.length === 0) throw new CommandError(`no peer ${target}; "flatroute peers" lists them`);
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

/** The options of `flatroute routes`. */
export interface RoutesOptions extends ViewOptions {
  /** How many; Infinity for all. */
  limit: number;
  offset: number;
  search?: string;
  /** The target and all more specific prefixes, instead of the one route to it. */
  longerPrefixes?: boolean;
}

/** `flatroute routes [PREFIX or ADDRESS]`. */
export async function showRoutes(target: string | undefined, options: RoutesOptions): Promise<void> {
  if (options.longerPrefixes && target === undefined)
    throw new CommandError('--longer-prefixes needs a prefix, such as 10.244.0.0/16', 2);
  if (target !== undefined && !options.longerPrefixes) return showRoute(target, options);
  const document = await fetchRoutes(target, options);
  if (options.json) printDocument(document);
  else print(routesLines(document.routes, { ...options, within: target, total: document.total }));
}

/** An address asks for its longest match, a prefix for itself. */
async function showRoute(target: string, options: ViewOptions): Promise<void> {
  const isPrefix = target.includes('/');
  const query = new URLSearchParams({ prefix: target, ...(isPrefix ? {} : { longest: '1' }) });
  const document = await fetchDocument<RoutesDocument>(options.socket, `/v1/routes?${query}`);
  if (options.json) printDocument(document);
  const route = document.routes[0];
  if (route === undefined) {
    throw new CommandError(
      isPrefix ? `no route to exactly ${target}; try --longer-prefixes` : `no route covers ${target}`,
    );
  }
  if (!options.json) print(routeLines(route));
}

/** The most routes that the daemon sends in one answer. */
const PAGE = 1000;

/** Routes from `offset` on, page by page; with a target, it and all more specific prefixes. */
async function fetchRoutes(target: string | undefined, options: RoutesOptions): Promise<RoutesDocument> {
  const routes: RouteView[] = [];
  for (;;) {
    const limit = Math.min(PAGE, options.limit - routes.length);
    const query = new URLSearchParams({
      limit: String(limit),
      offset: String(options.offset + routes.length),
    });
    if (target !== undefined) {
      query.set('prefix', target);
      query.set('moreSpecifics', 'true');
    }
    if (options.search !== undefined) query.set('q', options.search);
    const page = await fetchDocument<RoutesDocument>(options.socket, `/v1/routes?${query}`);
    for (const route of page.routes) routes.push(route);
    if (page.routes.length < limit || routes.length >= options.limit) return { routes, total: page.total };
  }
}
