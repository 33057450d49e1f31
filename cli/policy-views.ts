/** Policies as text: `flatroute policies`. */
import type { PolicyView } from '@flatroute/common/http/api-documents.ts';
import { type Column, clean, paint, type Tone, tableLines, wrap } from './table.ts';

interface Row {
  rule: string;
  action: 'accept' | 'reject' | 'next';
  hits: number;
}

const TONES: Record<Row['action'], Tone> = { accept: 'good', reject: 'bad', next: 'quiet' };

const COLUMNS: Column<Row>[] = [
  { title: 'RULE', shrink: 20, cell: ({ rule }) => rule },
  { title: 'ACTION', cell: ({ action }) => ({ text: action, tone: TONES[action] }) },
  { title: 'ROUTES', right: true, cell: ({ hits }) => hits },
];

/** Every policy with its rules, and how many routes matched each. */
export function policiesLines(policies: readonly PolicyView[]): string[] {
  if (policies.length === 0) return ['no policies; define them under "policies", and name them on peers'];
  return policies.flatMap(({ name, rules, otherwise, peers }, index) => {
    const rows: Row[] = rules.map(({ name: rule, action, hits }) => ({ rule, action, hits }));
    rows.push({ rule: 'otherwise', action: otherwise.action, hits: otherwise.hits });
    const uses = peers.map(({ peer, direction }) => `${direction} of ${clean(peer)}`).join(', ');
    const head = wrap(`${name}: ${uses || 'not used by any peer'}`, 100).map((line) => paint(line, 'strong'));
    return [...(index > 0 ? [''] : []), ...head, '', ...tableLines(rows, COLUMNS)];
  });
}
