/** The documents of `/v1/*` as text: status, sessions and pods. Each function returns the lines to print. */
import type {
  DurationsView,
  EventLoopView,
  EventView,
  PeersView,
  PeerView,
  PodView,
  StatusView,
} from '@flatroute/common/http/api-documents.ts';
import {
  ago,
  type Column,
  clean,
  counted,
  formatted,
  outputWidth,
  paint,
  span,
  type Tone,
  tableLines,
  wrap,
} from './table.ts';

/** Lines under a name, with the lines after the first aligned to it. */
function labelled(name: string, text: string, tone?: Tone): string[] {
  const label = name.padEnd(LABEL);
  return wrap(text, outputWidth() - LABEL).map((line, index) => {
    return (index === 0 ? paint(label, 'quiet') : ' '.repeat(LABEL)) + paint(line, tone);
  });
}

const LABEL = 14;

/** `flatroute status`; `verbose` adds the percentiles of the event loop. */
export function statusLines(status: StatusView, verbose = false): string[] {
  const { peers, routes, pods } = status;
  const allUp = peers.established === peers.configured;
  const lines = [
    `${paint(clean(status.node), 'strong')}  ${status.role} ${clean(status.version)}, pid ${status.pid}, up ${span(status.uptimeSeconds)}`,
    '',
    ...labelled('BGP', `AS ${status.as}, router id ${status.routerId}, ${listening(status.listen)}`),
    ...labelled(
      'Sessions',
      `${peers.established} of ${peers.configured} established`,
      allUp ? 'good' : 'wait',
    ),
    ...labelled('Routes', routesText(status)),
  ];
  if (pods !== undefined) {
    const ranges = pods.ranges.map((range) => `${range.cidr} ${range.used} of ${range.size} addresses used`);
    lines.push(...labelled('Pods', [counted(pods.count, 'pod'), ...ranges].join(', ')));
  }
  lines.push(...labelled('Load', loadText(status.eventLoop)));
  if (verbose) lines.push(...labelled('Event loop', eventLoopText(status.eventLoop)));
  const readiness = status.ready ? 'yes' : `no: ${status.reasons.join('; ')}`;
  lines.push(...labelled('Ready', readiness, status.ready ? 'good' : 'bad'));
  for (const warning of status.warnings) lines.push(...labelled('Warning', warning, 'wait'));
  if (routes.prefixes === 0 && peers.established === 0 && peers.configured > 0) {
    lines.push(...labelled('Next', 'no session is up; "flatroute peers" shows the last error of each'));
  }
  const events = status.events.slice(-8);
  if (events.length > 0) lines.push('', ...tableLines(events, EVENT_COLUMNS));
  return lines;
}

/** In words, and the longest time for which the daemon did nothing else, since its start. */
function loadText({ delay, load }: EventLoopView): string {
  return `${load} (worst pause ${Math.round(delay.maxMs)} ms)`;
}

function eventLoopText({ delay, slice }: EventLoopView): string {
  const text = ({ p50Ms, p99Ms, p999Ms, maxMs }: DurationsView) =>
    `${[p50Ms, p99Ms, p999Ms, maxMs].map((value) => value.toFixed(1)).join(' / ')} ms`;
  return `delay ${text(delay)}, slices ${text(slice)} (p50 / p99 / p99.9 / longest)`;
}

function listening(addresses: readonly string[]): string {
  return addresses.length === 0 ? 'not listening' : `listening on ${addresses.join(', ')}`;
}

function routesText({ role, routes }: StatusView): string {
  const learned = `${counted(routes.prefixes, 'prefix', 'prefixes')}, ${counted(routes.paths, 'path')}`;
  return role === 'agent' ? `${learned}, ${formatted(routes.installed)} in the kernel` : learned;
}

const EVENT_TONES: Record<EventView['level'], Tone | undefined> = {
  info: undefined,
  warn: 'wait',
  error: 'bad',
};

const EVENT_COLUMNS: Column<EventView>[] = [
  { title: 'AGO', right: true, cell: (event) => ago(event.time) },
  { title: 'ABOUT', shrink: 12, cell: (event) => event.subject },
  { title: 'EVENT', shrink: 20, cell: (event) => ({ text: event.text, tone: EVENT_TONES[event.level] }) },
];

const isUp = (peer: PeerView) => peer.state === 'Established';

const PEER_COLUMNS: Column<PeerView>[] = [
  { title: 'PEER', shrink: 10, cell: (peer) => peer.name },
  { title: 'ADDRESS', cell: (peer) => peer.address },
  { title: 'AS', right: true, cell: (peer) => String(peer.as) },
  { title: 'STATE', cell: (peer) => ({ text: peer.state, tone: stateTone(peer) }) },
  { title: 'FOR', right: true, cell: (peer) => ago(peer.since) },
  { title: 'IN', right: true, cell: (peer) => peer.prefixes.received },
  { title: 'BEST', right: true, cell: (peer) => peer.prefixes.best },
  { title: 'OUT', right: true, cell: (peer) => peer.prefixes.sent },
  { title: 'LAST ERROR', shrink: 12, cell: lastError },
];

function stateTone(peer: PeerView): Tone {
  if (isUp(peer)) return 'good';
  return peer.state === 'OpenSent' || peer.state === 'OpenConfirm' ? 'wait' : 'bad';
}

function lastError(peer: PeerView): { text: string; tone?: Tone } {
  if (peer.lastError === undefined) return { text: '' };
  const text = `${ago(peer.lastError.time)} ago: ${peer.lastError.text}`;
  return { text, tone: isUp(peer) ? 'quiet' : undefined };
}

/** `flatroute peers`: a summary of all peers, and one page of the selected ones, from `offset` on. */
export function peersLines(view: PeersView, offset: number): string[] {
  const { peers, total } = view;
  const summary = peersSummary(view);
  if (peers.length === 0) return [summary];
  const table = tableLines(peers, PEER_COLUMNS);
  const end = offset + peers.length;
  const about = `${formatted(offset + 1)}–${formatted(end)} of ${formatted(total)}`;
  const more =
    end < total ? `; --offset ${end} for the next, --limit all for all, --search TEXT to filter` : '';
  const page = peers.length < total ? [about + more] : [];
  // The summary at the top has scrolled out of sight after a long table.
  const foot = [...page, ...(peers.length > 40 ? [summary] : [])];
  return [summary, '', ...table, ...(foot.length > 0 ? ['', ...foot] : [])];
}

function peersSummary({ total, states }: PeersView): string {
  const count = Object.values(states).reduce((sum, each) => sum + each, 0);
  if (count === 0) return 'no peers; configure them under "peers"';
  const { Established: up = 0, ...others } = states;
  const text = [`${up} established`, ...Object.entries(others).map(([state, each]) => `${each} ${state}`)];
  const tail = total === count ? '' : `; ${total} match`;
  return paint(`${counted(count, 'peer')}: ${text.join(', ')}${tail}`, up === count ? 'good' : 'wait');
}

const POD_COLUMNS: Column<PodView>[] = [
  { title: 'POD', shrink: 20, cell: (pod) => pod.name },
  { title: 'ADDRESS', cell: (pod) => pod.addresses.join(', ') },
  { title: 'LINK', cell: (pod) => pod.hostInterface },
  { title: 'FOR', right: true, cell: (pod) => ago(pod.since) },
  {
    title: 'STATE',
    shrink: 12,
    cell: (pod) => ({ text: pod.state, tone: pod.state === 'up' ? 'good' : 'bad' }),
  },
];

/** `flatroute pods`. */
export function podsLines(pods: readonly PodView[]): string[] {
  if (pods.length === 0) return ['no pods on this node'];
  const troubled = pods.filter((pod) => pod.state !== 'up').length;
  const summary =
    troubled === 0
      ? counted(pods.length, 'pod')
      : `${counted(pods.length, 'pod')}, ${troubled} with problems`;
  return [paint(summary, troubled === 0 ? 'good' : 'wait'), '', ...tableLines(pods, POD_COLUMNS)];
}

/** `flatroute peers PEER`: one session in full. */
export function peerLines(peer: PeerView): string[] {
  const { prefixes, messages } = peer;
  const origin = peer.range === undefined ? '' : `, from the range ${peer.range}`;
  const lines = [
    `${paint(clean(peer.name), 'strong')}  ${paint(peer.state, stateTone(peer))} for ${ago(peer.since)}, since ${peer.since}`,
    '',
    ...labelled('Peer', `${peer.address}, AS ${peer.as}, ${peer.type}${origin}`),
  ];
  if (peer.routerId !== undefined) lines.push(...labelled('Router id', peer.routerId));
  if (peer.holdTimeSeconds !== undefined) {
    lines.push(
      ...labelled('Timers', `hold ${peer.holdTimeSeconds} s, keepalive ${peer.keepaliveSeconds ?? 0} s`),
    );
  }
  const received = `${formatted(prefixes.received)} received (at most ${formatted(prefixes.maximum)})`;
  const dropped = prefixes.dropped > 0 ? `${formatted(prefixes.dropped)} ignored, ` : '';
  const kept = `${dropped}${formatted(prefixes.accepted)} usable, ${formatted(prefixes.best)} best`;
  lines.push(...labelled('Prefixes', `${received}, ${kept}, ${formatted(prefixes.sent)} sent`));
  const updates = `updates ${formatted(messages.updatesReceived)} in, ${formatted(messages.updatesSent)} out`;
  lines.push(
    ...labelled(
      'Messages',
      `${formatted(messages.received)} in, ${formatted(messages.sent)} out, of which ${updates}`,
    ),
  );
  if (peer.capabilities.length > 0) lines.push(...labelled('Capabilities', peer.capabilities.join(', ')));
  lines.push(...labelled('Attributes', `${formatted(peer.attributeOctets)} bytes`));
  lines.push(...labelled('Policies', policiesText(peer), peer.policyMissing.length > 0 ? 'bad' : undefined));
  lines.push(
    ...labelled('Established', `${counted(peer.establishedCount, 'time')} since the daemon started`),
  );
  if (peer.lastError !== undefined) {
    const error = `${ago(peer.lastError.time)} ago: ${peer.lastError.text}`;
    lines.push(...labelled('Last error', error, isUp(peer) ? undefined : 'bad'));
  }
  return lines;
}

function policiesText({ policies, policyMissing }: PeerView): string {
  const texts = (['import', 'export'] as const).map((direction) => {
    if (policyMissing.includes(direction)) return `${direction}: no policy, so no routes (RFC 8212)`;
    return `${direction}: ${policies[direction] ?? 'no policy'}`;
  });
  return texts.join(', ');
}
