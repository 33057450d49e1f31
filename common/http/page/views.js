/** How the documents of /v1/* are displayed: texts, columns and the panel with details. */

/**
 * @import { EventView, ExplainView, PathView, PeerView, PodView, RouteView } from '../api-documents.ts'
 * @import { Column } from './table.js'
 */

const GROUPED = new Intl.NumberFormat('en', { useGrouping: true });

/**
 * 300000 → "300,000".
 * @param {number} value
 */
export function count(value) {
  return GROUPED.format(value);
}

/**
 * "1 peer", "3 peers".
 * @param {number} value
 * @param {string} one
 */
export function counted(value, one, many = `${one}s`) {
  return `${count(value)} ${value === 1 ? one : many}`;
}

/**
 * Seconds in two units: "4 s", "2 m 05 s", "3 h 12 m", "9 d 04 h".
 * @param {number} seconds
 */
export function span(seconds) {
  const whole = Math.max(0, Math.floor(seconds));
  const two = (/** @type {number} */ value) => String(value).padStart(2, '0');
  if (whole < 60) return `${whole} s`;
  if (whole < 3600) return `${Math.floor(whole / 60)} m ${two(whole % 60)} s`;
  if (whole < 86400) return `${Math.floor(whole / 3600)} h ${two(Math.floor((whole % 3600) / 60))} m`;
  return `${Math.floor(whole / 86400)} d ${two(Math.floor((whole % 86400) / 3600))} h`;
}

/**
 * "14:03:22", or "20 Nov 14:03" for another day.
 * @param {string | number} time ISO 8601, or milliseconds since 1970
 */
export function clock(time) {
  const date = new Date(time);
  const text = date.toLocaleTimeString('en-GB');
  if (date.toDateString() === new Date().toDateString()) return text;
  return `${date.toLocaleDateString('en-GB', { day: '2-digit', month: 'short' })} ${text.slice(0, 5)}`;
}

/** @param {string} iso */
function ago(iso) {
  return span((Date.now() - Date.parse(iso)) / 1000);
}

const STATE_CLASS = {
  Established: 'good',
  Idle: 'bad',
  Active: 'bad',
  Connect: 'bad',
  OpenSent: 'wait',
  OpenConfirm: 'wait',
};
const STATE_ORDER = ['Idle', 'Active', 'Connect', 'OpenSent', 'OpenConfirm', 'Established'];

/** @type {Column<PeerView>[]} */
export const sessionColumns = [
  {
    title: 'State',
    width: 128,
    cell: (peer) => ({ text: peer.state, classes: `state ${STATE_CLASS[peer.state]}` }),
    sort: (peer) => STATE_ORDER.indexOf(peer.state),
  },
  {
    title: 'For',
    width: 86,
    classes: 'number',
    cell: (peer) => ({ text: ago(peer.since), title: `since ${clock(peer.since)}` }),
    sort: (peer) => -Date.parse(peer.since),
  },
  {
    title: 'Peer',
    width: 112,
    cell: (peer) => ({
      text: peer.name,
      title: peer.address + (peer.range ? `, from the range ${peer.range}` : ''),
    }),
    sort: (peer) => peer.name,
  },
  {
    title: 'Address',
    width: 118,
    classes: 'mono narrow-off',
    cell: (peer) => peer.address,
    sort: (peer) => peer.address,
  },
  { title: 'AS', width: 92, classes: 'number narrow-off', cell: (peer) => peer.as, sort: (peer) => peer.as },
  {
    title: 'Type',
    width: 60,
    classes: 'quiet narrow-off',
    cell: (peer) => peer.type,
    sort: (peer) => peer.type,
  },
  {
    title: 'In',
    width: 68,
    classes: 'number',
    cell: (peer) => ({
      text: count(peer.prefixes.received),
      title: `${count(peer.prefixes.accepted)} usable, ${count(peer.prefixes.best)} best, at most ${count(peer.prefixes.maximum)}`,
    }),
    sort: (peer) => peer.prefixes.received,
  },
  {
    title: 'Best',
    width: 68,
    classes: 'number narrow-off',
    cell: (peer) => count(peer.prefixes.best),
    sort: (peer) => peer.prefixes.best,
  },
  {
    title: 'Out',
    width: 68,
    classes: 'number',
    cell: (peer) => count(peer.prefixes.sent),
    sort: (peer) => peer.prefixes.sent,
  },
  {
    title: 'Ups',
    width: 52,
    classes: 'number narrow-off',
    cell: (peer) => ({
      text: count(peer.establishedCount),
      title: 'how often the session was established since the daemon started',
    }),
    sort: (peer) => peer.establishedCount,
  },
  {
    title: 'Last error',
    cell: (peer) => {
      if (!peer.lastError) return { text: '–', classes: 'quiet' };
      const text = `${clock(peer.lastError.time)}  ${peer.lastError.text}`;
      return { text, title: text, classes: peer.state === 'Established' ? 'quiet' : 'bad' };
    },
    sort: (peer) => peer.lastError?.text ?? '',
  },
];

/** @param {RouteView} route */
function usedPaths(route) {
  return route.paths.filter((path) => path.status === 'best' || path.status === 'multipath');
}

/** @type {Column<RouteView>[]} */
export const routeColumns = [
  { title: 'Prefix', width: 138, classes: 'mono', cell: (route) => route.prefix },
  {
    title: 'Next hop',
    width: 126,
    classes: 'mono',
    cell: (route) => {
      if (route.source === 'local') return { text: 'this node', classes: 'quiet' };
      const hops = usedPaths(route).map((path) => path.nextHop);
      const text =
        hops.length === 0 ? 'none usable' : hops[0] + (hops.length > 1 ? ` +${hops.length - 1}` : '');
      return { text, title: hops.join('\n'), classes: hops.length === 0 ? 'bad' : '' };
    },
  },
  {
    title: 'AS path',
    classes: 'mono',
    cell: (route) => ({ text: usedPaths(route)[0]?.asPath || '–', title: usedPaths(route)[0]?.asPath ?? '' }),
  },
  { title: 'From', width: 86, classes: 'narrow-off', cell: (route) => usedPaths(route)[0]?.peer ?? '–' },
  { title: 'Paths', width: 56, classes: 'number', cell: (route) => count(route.paths.length) },
  {
    title: 'Kernel',
    width: 108,
    cell: (route) => {
      const fine = route.kernel === 'installed' || route.kernel === 'local';
      return { text: route.kernel, title: route.kernel, classes: fine ? 'quiet' : 'wait' };
    },
  },
];

/** @type {Column<PodView>[]} */
export const podColumns = [
  { title: 'Address', width: 122, classes: 'mono', cell: (pod) => pod.addresses.join(', ') },
  {
    title: 'Pod',
    cell: (pod) => ({
      text: pod.name,
      title: `${pod.name}\ncontainer ${pod.containerId}\nnamespace ${pod.netns}\nlink ${pod.hostInterface}`,
    }),
  },
  {
    title: 'For',
    width: 88,
    classes: 'number',
    cell: (pod) => ({ text: ago(pod.since), title: clock(pod.since) }),
  },
  {
    title: 'State',
    width: 152,
    cell: (pod) => ({
      text: pod.state,
      title: pod.state,
      classes: `state ${pod.state === 'up' ? 'good' : 'bad'}`,
    }),
  },
];

const LEVEL_CLASS = { info: '', warn: 'wait', error: 'bad' };

/** @type {Column<EventView>[]} */
export const eventColumns = [
  { title: 'Time', width: 122, classes: 'number quiet', cell: (event) => clock(event.time) },
  { title: 'About', width: 112, cell: (event) => ({ text: event.subject, title: event.subject }) },
  {
    title: 'Event',
    classes: 'wraps',
    cell: (event) => ({ text: event.text, classes: LEVEL_CLASS[event.level] }),
  },
];

/**
 * An element with classes and text or children.
 * @param {string} name
 * @param {string} classes
 * @param {(string | Node)[]} children
 */
export function element(name, classes, ...children) {
  const node = document.createElement(name);
  if (classes) node.className = classes;
  node.append(...children);
  return node;
}

const VERDICT = { ok: ['good', 'ok'], warning: ['wait', 'warning'], none: ['none', 'nothing'] };

/**
 * The steps of `explain`, one row per layer.
 * @param {ExplainView} view
 */
export function explainSteps(view) {
  const list = element('dl', 'steps');
  for (const step of view.steps) {
    const [classes, word] = VERDICT[step.verdict];
    const name = element(
      'dt',
      '',
      step.layer === 'rib' ? 'RIB' : step.layer,
      element('div', `${classes} ${step.verdict === 'none' ? '' : 'state'}`.trim(), word),
    );
    const lines = step.lines.map((line) => element('p', step.verdict === 'none' ? 'none' : '', line));
    list.append(name, element('dd', '', ...lines));
  }
  return [element('p', 'summary', view.summary), list];
}

/**
 * A session in full, with the details that do not fit into its row.
 * @param {PeerView} peer
 */
export function sessionDetails(peer) {
  /** @type {[name: string, value: string | undefined][]} */
  const facts = [
    ['State', `${peer.state} for ${ago(peer.since)}, since ${clock(peer.since)}`],
    [
      'Peer',
      `${peer.address}, AS ${peer.as}, ${peer.type}${peer.range ? `, from the range ${peer.range}` : ''}`,
    ],
    ['Router id', peer.routerId],
    [
      'Timers',
      peer.holdTimeSeconds === undefined
        ? undefined
        : `hold ${peer.holdTimeSeconds} s, keepalive ${peer.keepaliveSeconds ?? 0} s`,
    ],
    [
      'Prefixes in',
      `${count(peer.prefixes.received)} of at most ${count(peer.prefixes.maximum)}, ${count(peer.prefixes.accepted)} usable, ${count(peer.prefixes.best)} best`,
    ],
    ['Prefixes out', count(peer.prefixes.sent)],
    [
      'Messages',
      `${count(peer.messages.received)} in, ${count(peer.messages.sent)} out; updates ${count(peer.messages.updatesReceived)} in, ${count(peer.messages.updatesSent)} out`,
    ],
    ['Capabilities', peer.capabilities.join(', ') || undefined],
    ['Established', `${counted(peer.establishedCount, 'time')} since the daemon started`],
    ['Last error', peer.lastError ? `${clock(peer.lastError.time)}: ${peer.lastError.text}` : undefined],
  ];
  const list = element('dl', 'steps session');
  for (const [name, value] of facts) {
    if (value !== undefined) list.append(element('dt', 'quiet', name), element('dd', '', value));
  }
  return [list];
}

/** @type {Record<PathView['status'], string>} */
const PATH_CLASS = { best: 'good', multipath: 'good', candidate: 'quiet', unusable: 'bad' };

/**
 * The paths of a route, and why each won or lost.
 * @param {RouteView} route
 */
export function routePaths(route) {
  const items = route.paths.map((path) => {
    const facts = [
      path.asPath ? `AS path ${path.asPath}` : 'empty AS path',
      path.pathId === undefined ? '' : `path id ${path.pathId}`,
      `origin ${path.origin}`,
      path.localPref === undefined ? '' : `local preference ${path.localPref}`,
      path.med === undefined ? '' : `MED ${path.med}`,
      path.communities?.length ? `communities ${path.communities.join(' ')}` : '',
    ].filter(Boolean);
    const head = element(
      'div',
      'head',
      element('strong', PATH_CLASS[path.status], path.status),
      element('span', 'mono', path.nextHop),
      `from ${path.peer}`,
    );
    return element(
      'li',
      path.status,
      head,
      element('div', '', facts.join(' · ')),
      element('div', 'reason', path.reason),
    );
  });
  if (items.length === 0) return [];
  const title = `${route.prefix} — ${counted(route.paths.length, 'path')}, kernel: ${route.kernel}`;
  return [element('h3', '', title), element('ul', 'paths', ...items)];
}
