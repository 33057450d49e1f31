/** Keeps the page up to date: asks the daemon every two seconds while the page is visible, and says when it does not answer. */
import { Table } from './table.js';
import {
  clock,
  count,
  counted,
  element,
  eventColumns,
  explainSteps,
  podColumns,
  routeColumns,
  routePaths,
  sessionColumns,
  sessionDetails,
  span,
} from './views.js';

/** @import { EventView, PeersView, PeerView, PodView, StatusView } from '../api-documents.ts' */

const POLL_MS = 2000;
const PAGE = 50;
/** How many sessions are shown at once. */
const SESSIONS = 200;

/**
 * What the panel shows: a session, or a prefix or address.
 * @typedef {object} Panel
 * @property {string} [session] its key
 * @property {string} [prefix]
 * @property {string} [address]
 * @property {string} [title] by default the prefix or address
 * @property {Element | null} from what had the focus before
 * @property {string} text the documents that are shown
 */

const state = {
  offset: 0,
  search: '',
  filter: '',
  total: 0,
  node: '',
  /** @type {number | null} milliseconds since 1970 */
  lastAnswer: null,
  /** @type {Panel | null} */
  panel: null,
};

/**
 * The element of index.html with this id and of this class.
 * @template {HTMLElement} E
 * @param {string} id
 * @param {new () => E} type
 */
function get(id, type) {
  const found = document.getElementById(id);
  if (!(found instanceof type)) throw new Error(`index.html has no ${type.name} #${id}`);
  return found;
}

/** @param {string} id */
const by = (id) => get(id, HTMLElement);
/** @param {string} id */
const table = (id) => get(id, HTMLTableElement);
/** @param {string} id */
const button = (id) => get(id, HTMLButtonElement);
/** @param {string} id */
const input = (id) => get(id, HTMLInputElement);

/**
 * Over time, a peer's address may belong to two ranges, but never to both at once.
 * @param {PeerView} peer
 */
function sessionKey(peer) {
  return `${peer.address} ${peer.range ?? ''}`;
}

const sessions = new Table(table('sessions'), sessionColumns, {
  key: sessionKey,
  empty: 'No peers are configured.',
  open: (peer) => openPanel({ session: sessionKey(peer), title: peer.name }),
});
const routes = new Table(table('routes'), routeColumns, {
  key: (route) => route.prefix,
  empty: 'No routes yet.',
  open: (route) => openPanel({ prefix: route.prefix }),
});
const pods = new Table(table('pods'), podColumns, {
  key: (pod) => `${pod.containerId} ${pod.ifname}`,
  empty: 'No pods on this node.',
  open: (pod) => openPanel({ address: pod.address }),
});
/** @type {WeakMap<EventView, string>} */
const eventKeys = new WeakMap();
const events = new Table(table('events'), eventColumns, {
  key: (event) => eventKeys.get(event) ?? '',
  empty: 'No events yet.',
});

/** An error that the daemon answered. */
class AnswerError extends Error {}

/**
 * Fetches one document; undefined if this daemon does not have it (404).
 * @param {string} path
 */
async function ask(path) {
  const response = await fetch(path, {
    signal: AbortSignal.timeout(5000),
    headers: { Accept: 'application/json' },
  });
  if (response.status === 404) return undefined;
  const document = await response.json();
  if (!response.ok) throw new AnswerError(document.error);
  return document;
}

async function refresh() {
  try {
    const [status, peers, podList] = await Promise.all([
      ask('/v1/status'),
      ask(sessionsRequest()),
      ask('/v1/pods'),
    ]);
    showStatus(status);
    showSessions(peers);
    showPods(podList);
    await refreshRoutes();
    if (state.panel) await fillPanel();
    state.lastAnswer = Date.now();
    showPulse(true);
  } catch {
    showPulse(false);
  }
}

/** @param {boolean} answered whether the last request was answered */
function showPulse(answered) {
  const pulse = by('pulse');
  pulse.classList.toggle('lost', !answered);
  document.body.classList.toggle('stale', !answered && state.lastAnswer !== null);
  const since = state.lastAnswer === null ? '' : ` since ${clock(state.lastAnswer)}`;
  pulse.textContent = answered ? `live · ${clock(Date.now())}` : `no answer${since}`;
  document.title = `${answered ? '' : '✕ '}${state.node} · Flatroute`;
  const lost = by('alerts').querySelector('.lost');
  if (answered) lost?.remove();
  else if (!lost) {
    const text =
      state.lastAnswer === null ? '' : ' The data below is old. Pods and routes may still be fine.';
    by('alerts').prepend(
      element('p', 'bad lost', element('strong', '', `The daemon has not answered${since}.`), text),
    );
  }
}

/** @param {StatusView} status */
function showStatus(status) {
  state.node = status.node;
  by('node').textContent = status.node;
  const { established, configured } = status.peers;
  const facts = [
    ['', status.role],
    ['AS', String(status.as)],
    ['router id', status.routerId],
    ['sessions', `${count(established)} of ${count(configured)} up`],
    ['prefixes', count(status.routes.prefixes)],
    ['paths', count(status.routes.paths)],
    ...(status.role === 'agent' ? [['in kernel', count(status.routes.installed)]] : []),
    ['load', status.eventLoop.load],
    ['up', span(status.uptimeSeconds)],
    ['version', status.version],
  ];
  const nodes = facts.map(([name, value]) =>
    element('div', '', element('dt', '', name), element('dd', '', value)),
  );
  const text = facts.flat().join('|');
  if (by('facts').dataset.text !== text) {
    by('facts').dataset.text = text;
    by('facts').replaceChildren(...nodes);
  }
  const alerts = [
    ...(status.ready ? [] : [['bad', 'Not ready.', status.reasons.join('; ')]]),
    ...status.warnings.map((warning) => ['', 'Warning.', warning]),
  ];
  const alertText = JSON.stringify(alerts);
  if (by('alerts').dataset.text !== alertText) {
    by('alerts').dataset.text = alertText;
    by('alerts').replaceChildren(
      ...alerts.map(([kind, head, rest]) => element('p', kind, element('strong', '', head), ` ${rest}`)),
    );
  }
  // Equal events are numbered, so that each has a key of its own.
  const seen = new Map();
  const list = status.events.map((event) => {
    const base = `${event.time} ${event.subject} ${event.text}`;
    seen.set(base, (seen.get(base) ?? 0) + 1);
    eventKeys.set(event, `${base} ${seen.get(base)}`);
    return event;
  });
  events.update(list.reverse());
  const ranges =
    status.pods?.ranges.map((range) => `${range.cidr}: ${count(range.used)} of ${count(range.size)}`) ?? [];
  by('pods-count').textContent = status.pods ? `${count(status.pods.count)} · ${ranges.join(', ')}` : '';
}

function sessionsRequest() {
  return `/v1/peers?sort=state&limit=${SESSIONS}&q=${encodeURIComponent(state.filter)}`;
}

/** @param {PeersView} view */
function showSessions({ peers, total, states }) {
  const { Established: up = 0, ...others } = states;
  const down = Object.values(others).reduce((sum, each) => sum + each, 0);
  const filtered = total < up + down ? ` · ${count(total)} match` : '';
  const cut = peers.length < total ? ` · ${count(peers.length)} shown, filter for others` : '';
  by('sessions-count').textContent =
    `${count(up)} up${down > 0 ? ` · ${count(down)} not up` : ''}${filtered}${cut}`;
  sessions.update(peers, up + down > 0 ? 'No session matches the filter.' : undefined);
}

async function refreshSessions() {
  const { filter } = state;
  const answer = await ask(sessionsRequest());
  // The input has changed while the daemon answered.
  if (filter === state.filter) showSessions(answer);
}

/** @param {{ pods: PodView[] } | undefined} view undefined: the daemon has no pods */
function showPods(view) {
  document.querySelector('main')?.classList.toggle('podless', view === undefined);
  if (view !== undefined) pods.update(view.pods);
}

const IPV4 = String.raw`\d{1,3}(?:\.\d{1,3}){3}`;
/** Complete addresses alone: a part of one, while it is typed, is text to search for. */
const IPV6 = String.raw`(?=.*::|(?:[^:]*:){7})[\da-f:.]+`;
const ADDRESS = new RegExp(`^(?:${IPV4}|${IPV6})$`, 'i');
const PREFIX = new RegExp(`^(?:${IPV4}|${IPV6})/\\d{1,3}$`, 'i');

/**
 * An address is looked up by longest match, a prefix by itself with its more specific ones, other text by search.
 * @param {string} search
 */
function routesRequest(search) {
  const term = encodeURIComponent(search);
  if (ADDRESS.test(search))
    return { path: `/v1/routes?prefix=${term}&longest=1`, mode: `longest match for ${search}` };
  const page = `limit=${PAGE}&offset=${state.offset}`;
  if (PREFIX.test(search))
    return { path: `/v1/routes?prefix=${term}&moreSpecifics=true&${page}`, mode: `within ${search}` };
  return {
    path: `/v1/routes?${page}${search ? `&q=${term}` : ''}`,
    mode: search ? `containing “${search}”` : 'all routes',
  };
}

async function refreshRoutes() {
  const search = state.search;
  const { path, mode } = routesRequest(search);
  let answer;
  try {
    answer = await ask(path);
  } catch (error) {
    if (!(error instanceof AnswerError)) throw error;
    answer = { routes: [], total: 0, error: error.message };
  }
  // The input has changed while the daemon answered.
  if (search !== state.search) return;
  state.total = answer.total;
  if (state.offset > 0 && state.offset >= answer.total) {
    state.offset = 0;
    return refreshRoutes();
  }
  by('routes-mode').textContent = mode;
  by('routes-count').textContent = counted(answer.total, 'route');
  const last = state.offset + answer.routes.length;
  by('routes-range').textContent =
    answer.total > PAGE ? `${count(state.offset + 1)}–${count(last)} of ${count(answer.total)}` : '';
  button('routes-back').disabled = state.offset === 0;
  button('routes-next').disabled = last >= answer.total;
  routes.update(answer.routes, answer.error ?? (search ? `No route: ${mode}.` : undefined));
}

/** @param {number} pages forward, or back if negative */
function turn(pages) {
  const offset = state.offset + pages * PAGE;
  if (offset < 0 || offset >= state.total) return;
  state.offset = offset;
  refreshRoutes().catch(() => showPulse(false));
}

/**
 * Opens the panel: an address or the first one of a prefix explained, with all paths, or a session in full.
 * @param {Omit<Panel, 'from' | 'text'>} about
 */
async function openPanel(about) {
  state.panel = { ...about, from: document.activeElement, text: '' };
  by('panel-title').textContent = about.title ?? about.prefix ?? about.address ?? '';
  by('panel-body').replaceChildren(element('p', 'quiet', 'loading…'));
  by('panel').hidden = false;
  by('panel').focus({ preventScroll: true });
  await fillPanel().catch(() => showPulse(false));
}

async function fillPanel() {
  const { panel } = state;
  if (panel === null) return;
  if (panel.session !== undefined) return fillSession(panel, panel.session);
  const address = panel.address ?? panel.prefix?.split('/')[0] ?? '';
  const lookup = panel.prefix
    ? `prefix=${encodeURIComponent(panel.prefix)}`
    : `prefix=${encodeURIComponent(address)}&longest=1`;
  const [explained, found] = await Promise.all([
    ask(`/v1/explain?address=${encodeURIComponent(address)}`),
    ask(`/v1/routes?${lookup}`),
  ]);
  const text = JSON.stringify([explained, found]);
  if (state.panel !== panel || panel.text === text) return;
  panel.text = text;
  const paths = (found?.routes ?? []).flatMap(routePaths);
  const steps = explained ? explainSteps(explained) : [];
  const nothing = steps.length + paths.length === 0 ? [element('p', 'summary', 'No route covers it.')] : [];
  by('panel-body').replaceChildren(...steps, ...paths, ...nothing);
}

/**
 * @param {Panel} panel
 * @param {string} session its key
 */
async function fillSession(panel, session) {
  const { peers } = await ask(`/v1/peers?q=${encodeURIComponent(session.split(' ')[0])}`);
  if (state.panel !== panel) return;
  const peer = peers.find((/** @type {PeerView} */ candidate) => sessionKey(candidate) === session);
  const gone = [element('p', 'summary', 'This session no longer exists.')];
  by('panel-body').replaceChildren(...(peer ? sessionDetails(peer) : gone));
}

function closePanel() {
  by('panel').hidden = true;
  const from = state.panel?.from;
  if (from instanceof HTMLElement) from.focus({ preventScroll: true });
  state.panel = null;
}

function listen() {
  const [search, filter] = [input('routes-search'), input('sessions-filter')];
  let typing = 0;
  let filtering = 0;
  search.addEventListener('input', () => {
    state.search = search.value.trim();
    state.offset = 0;
    clearTimeout(typing);
    typing = setTimeout(() => refreshRoutes().catch(() => showPulse(false)), 150);
  });
  search.addEventListener('keydown', (event) => {
    if (event.key === 'Enter' && ADDRESS.test(state.search)) openPanel({ address: state.search });
  });
  filter.addEventListener('input', () => {
    state.filter = filter.value.trim();
    clearTimeout(filtering);
    filtering = setTimeout(() => refreshSessions().catch(() => showPulse(false)), 150);
  });
  by('routes-back').addEventListener('click', () => turn(-1));
  by('routes-next').addEventListener('click', () => turn(1));
  by('panel-close').addEventListener('click', closePanel);
  document.addEventListener('keydown', shortcut);
}

/** @param {KeyboardEvent} event */
function shortcut(event) {
  const field = event.target instanceof HTMLInputElement ? event.target : null;
  if (event.key === 'Escape') {
    if (state.panel) closePanel();
    else field?.blur();
    return;
  }
  if (field || event.ctrlKey || event.metaKey || event.altKey) return;
  /** @type {Record<string, (() => void) | undefined>} */
  const actions = {
    '/': () => by('routes-search').focus(),
    f: () => by('sessions-filter').focus(),
    n: () => turn(1),
    p: () => turn(-1),
    ArrowDown: () => {
      const row = document.querySelector('tbody tr[tabindex="0"]');
      if (event.target === document.body && row instanceof HTMLElement) row.focus();
    },
  };
  const action = actions[event.key];
  if (!action) return;
  action();
  if (event.key !== 'ArrowDown' || event.target === document.body) event.preventDefault();
}

/** One request at a time, two seconds after the last one ended, and none while the page is hidden. */
async function poll() {
  for (;;) {
    await refresh();
    await new Promise((resolve) => setTimeout(resolve, POLL_MS));
    if (document.hidden) {
      await new Promise((resolve) => document.addEventListener('visibilitychange', resolve, { once: true }));
    }
  }
}

listen();
poll();
