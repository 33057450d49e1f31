/** `flatroute plan --config FILE`: what a reload of the configuration would do. */
import { readFile } from 'node:fs/promises';
import type { PlanView, RouteChangesView } from '@flatroute/common/http/api-documents.ts';
import { CommandError, fetchDocument } from './client.ts';
import { type Column, counted, paint, type Tone, tableLines, wrap } from './table.ts';

/** The options of `flatroute plan`. */
export interface PlanOptions {
  socket: string;
  config: string;
  json?: boolean;
}

type PlannedPeer = PlanView['peers'][number];

/** Asks the daemon and prints its plan. Throws `CommandError`, with 2 for a configuration that cannot be used. */
export async function showPlan({ socket, config, json }: PlanOptions): Promise<void> {
  const text = await readFile(config, 'utf8').catch((error: Error) => {
    throw new CommandError(`cannot read ${config}: ${error.message}`, 2);
  });
  const query = new URLSearchParams({ file: config });
  const plan = await fetchDocument<PlanView>(socket, `/v1/plan?${query}`, text);
  const lines = json ? [JSON.stringify(plan, null, 2)] : planLines(plan);
  process.stdout.write(`${lines.join('\n')}\n`);
}

const SESSION_TONES: Record<PlannedPeer['session'], Tone> = {
  stays: 'quiet',
  reset: 'bad',
  added: 'good',
  removed: 'wait',
};

const COLUMNS: Column<PlannedPeer>[] = [
  { title: 'PEER', shrink: 12, cell: ({ peer }) => peer },
  { title: 'SESSION', shrink: 16, cell: sessionCell },
  { title: 'IMPORT', cell: ({ taken }) => changesText(taken) },
  { title: 'EXPORT', cell: ({ told }) => changesText(told) },
];

function sessionCell({ session, because }: PlannedPeer): { text: string; tone: Tone } {
  const reason = because.length > 0 ? ` (${because.join(', ')})` : '';
  return { text: `${session}${reason}`, tone: SESSION_TONES[session] };
}

function changesText(changes: RouteChangesView | undefined): string {
  if (!changes) return '';
  const parts = [`+${changes.added}`, `-${changes.withdrawn}`, `~${changes.changed}`];
  return parts.every((part) => part.slice(1) === '0') ? 'unchanged' : parts.join(' ');
}

const isTouched = ({ session, taken, told }: PlannedPeer): boolean =>
  session !== 'stays' ||
  [taken, told].some((changes) => changes && Object.values(changes).some((n) => n > 0));

/** The plan as text: the peers that change, and the number of those that do not. */
function planLines({ changed, needRestart, peers }: PlanView): string[] {
  if (changed.length === 0) return ['nothing would change'];
  const touched = peers.filter(isTouched);
  const rest = peers.length - touched.length;
  const lines = wrap(`changed: ${changed.join(', ')}`, 100);
  if (needRestart.length > 0) {
    const text = `a reload would be refused: ${needRestart.join(', ')} can only be changed by a restart`;
    lines.push(...wrap(text, 100).map((line) => paint(line, 'bad')));
  }
  if (touched.length > 0)
    lines.push('', ...tableLines(touched, COLUMNS), '', '+ added, - withdrawn, ~ changed routes');
  if (rest > 0)
    lines.push('', `nothing changes for ${counted(rest, touched.length > 0 ? 'other peer' : 'peer')}`);
  return lines;
}
