/** Routes and explanations as text. Each function returns the lines to print. */
import type { ExplainView, PathView, RouteView } from '@flatroute/common/http/api-documents.ts';
import {
  type Column,
  clean,
  counted,
  formatted,
  outputWidth,
  paint,
  type Tone,
  tableLines,
  wrap,
} from './table.ts';

const isUsed = (path: PathView) => path.status === 'best' || path.status === 'multipath';

function nextHops(route: RouteView): { text: string; tone?: Tone } {
  if (route.source === 'local') return { text: 'this node', tone: 'quiet' };
  const hops = route.paths.filter(isUsed).map((path) => path.nextHop);
  if (hops.length === 0) return { text: 'none usable', tone: 'bad' };
  return { text: hops.length === 1 ? hops[0] : `${hops[0]} +${hops.length - 1}` };
}

function kernelTone(route: RouteView): Tone {
  return route.kernel === 'installed' || route.kernel === 'local' ? 'quiet' : 'wait';
}

const ROUTE_COLUMNS: Column<RouteView>[] = [
  { title: 'PREFIX', cell: (route) => route.prefix },
  { title: 'NEXT HOP', cell: nextHops },
  { title: 'FROM', shrink: 8, cell: (route) => route.paths.find(isUsed)?.peer ?? '' },
  { title: 'AS PATH', shrink: 16, cell: (route) => route.paths.find(isUsed)?.asPath ?? '' },
  { title: 'PATHS', right: true, cell: (route) => route.paths.length },
  { title: 'KERNEL', shrink: 10, cell: (route) => ({ text: route.kernel, tone: kernelTone(route) }) },
];

/** Which routes are shown, and how many there are in all. */
export interface RoutesPart {
  offset: number;
  total: number;
  search?: string;
  /** The prefix within which all of them lie. */
  within?: string;
}

/** `flatroute routes`: one page. */
export function routesLines(routes: readonly RouteView[], part: RoutesPart): string[] {
  const within = part.within === undefined ? '' : ` in ${clean(part.within)}`;
  const about = part.search === undefined ? within : `${within} with "${clean(part.search)}"`;
  if (part.total === 0) return [`no routes${about}`];
  if (routes.length === 0)
    return [`${counted(part.total, 'route')}${about}, none after the first ${formatted(part.offset)}`];
  const lines = tableLines(routes, ROUTE_COLUMNS);
  const end = part.offset + routes.length;
  if (routes.length === part.total) return [...lines, '', `${counted(part.total, 'route')}${about}`];
  const more = end < part.total ? `; --offset ${end} for the next, --limit all for all` : '';
  return [
    ...lines,
    '',
    `${formatted(part.offset + 1)}–${formatted(end)} of ${counted(part.total, 'route')}${about}${more}`,
  ];
}

const STATUS_TONES: Record<PathView['status'], Tone> = {
  best: 'good',
  multipath: 'good',
  candidate: 'quiet',
  unusable: 'bad',
};

const PATH_COLUMNS: Column<PathView>[] = [
  { title: 'PATH', cell: (path) => ({ text: path.status, tone: STATUS_TONES[path.status] }) },
  { title: 'NEXT HOP', cell: (path) => path.nextHop },
  { title: 'FROM', shrink: 8, cell: sender },
  { title: 'PREF', right: true, cell: (path) => optional(path.localPref) },
  { title: 'MED', right: true, cell: (path) => optional(path.med) },
  { title: 'ORIGIN', cell: (path) => path.origin },
  { title: 'AS PATH', shrink: 12, cell: (path) => path.asPath || '(empty)' },
];

function sender(path: PathView): string {
  return path.pathId === undefined ? path.peer : `${path.peer} #${path.pathId}`;
}

function optional(value: number | undefined): string {
  return value === undefined ? '' : String(value);
}

/** `flatroute routes PREFIX`: all paths to a prefix, and why each won or lost. */
export function routeLines(route: RouteView): string[] {
  const head = `${paint(route.prefix, 'strong')}  ${route.source === 'local' ? 'announced by this node' : 'learned'}, kernel: ${paint(clean(route.kernel), kernelTone(route))}`;
  const [titles, ...rows] = tableLines(route.paths, PATH_COLUMNS);
  const lines = [head, '', titles];
  for (const [index, path] of route.paths.entries()) {
    lines.push(rows[index]);
    lines.push(...note(`why: ${path.reason}`));
    if (path.policy !== undefined) lines.push(...note(`policy: ${path.policy}`));
    if (path.communities?.length) lines.push(...note(`communities: ${path.communities.join(' ')}`));
  }
  return [...lines, ...sentLines(route.sent ?? [])];
}

const note = (text: string): string[] =>
  wrap(text, outputWidth() - 2).map((line) => `  ${paint(line, 'quiet')}`);

/** How many peers are named for one reason; the others are counted. */
const NAMED = 12;

/** To which peers a route was advertised, and why not to the others; grouped by reason. */
function sentLines(sent: NonNullable<RouteView['sent']>): string[] {
  const groups = new Map<string, string[]>();
  for (const { peer, told, reason } of sent) {
    const key = `${told ? 'sent to' : 'not sent to'}|${reason}`;
    groups.set(key, [...(groups.get(key) ?? []), clean(peer)]);
  }
  const lines = [...groups].flatMap(([key, peers]) => {
    const [what, reason] = key.split('|');
    const more = peers.length > NAMED ? ` and ${peers.length - NAMED} more` : '';
    return wrap(`${what} ${peers.slice(0, NAMED).join(', ')}${more}: ${reason}`, outputWidth());
  });
  return lines.length === 0 ? [] : ['', ...lines];
}

const LAYERS: Record<ExplainView['steps'][number]['layer'], string> = {
  pod: 'pod',
  allocation: 'allocation',
  announcement: 'announcement',
  advertised: 'advertised',
  rib: 'RIB',
  kernel: 'kernel',
};

const VERDICTS = {
  ok: ['ok', 'good'],
  warning: ['warning', 'wait'],
  none: ['-', 'quiet'],
} as const satisfies Record<ExplainView['steps'][number]['verdict'], [string, Tone]>;

const MARGIN = 23;

/** `flatroute explain ADDRESS`: layer by layer. */
export function explainLines(view: ExplainView): string[] {
  const lines = [...wrap(view.summary, outputWidth()).map((line) => paint(line, 'strong')), ''];
  for (const step of view.steps) {
    const [word, tone] = VERDICTS[step.verdict];
    const label = (LAYERS[step.layer] ?? step.layer).padEnd(14) + paint(word.padEnd(MARGIN - 14), tone);
    const texts = step.lines.flatMap((line) => wrap(line, outputWidth() - MARGIN));
    const toneOfText = step.verdict === 'none' ? 'quiet' : undefined;
    for (const [index, text] of (texts.length === 0 ? [''] : texts).entries()) {
      lines.push(((index === 0 ? label : ' '.repeat(MARGIN)) + paint(text, toneOfText)).trimEnd());
    }
  }
  return lines;
}
