/**
 * Checks what we sent in all cells with two independent codecs: tshark has no complaint, and tshark and scapy read the
 * same prefixes, all of which we originated.
 */

import { join } from 'node:path';
import { must } from '../lab/processes.ts';
import { readByScapy, tsharkFields } from './capture.ts';
import type { CellOutcome } from './matrix.ts';

/** The result of both codecs. */
export interface Verdict {
  /** Messages of ours that were decoded. */
  messages: number;
  /** Announcements of prefixes in them. */
  routes: number;
  /** What is wrong, one line each. */
  complaints: string[];
}

/** Remarks of tshark about TCP, not BGP: some rows cut links and lose segments on purpose. */
const TRANSPORT =
  /^(Connection (reset|finish|establish)|TCP |This frame |D-SACK|Duplicate|Previous segment|ACKed|A new tcp session|Fast retrans|Retransmission|Spurious)/i;

const PREFIX_FIELDS = ['bgp.nlri_prefix', 'bgp.mp_reach_nlri_ipv4_prefix', 'bgp.mp_reach_nlri_ipv6_prefix'];

/** Checks the captures of some outcomes; the merged file goes to `folder`. */
export async function verify(outcomes: readonly CellOutcome[], folder: string): Promise<Verdict> {
  const captured = outcomes.filter(({ pcap }) => pcap !== undefined);
  if (captured.length === 0) return { messages: 0, routes: 0, complaints: [] };
  const merged = join(folder, `merged-${captured[0].cell.kind}.pcap`);
  await must('verify', ['mergecap', '-F', 'pcap', '-w', merged, ...captured.map(({ pcap }) => pcap!)]);
  const complaints = await tsharkComplaints(merged, captured);
  const ours = new Map(
    captured
      .filter(({ cell }) => cell.row.unreadable !== 'scapy')
      .flatMap((outcome) => outcome.ourAddresses.map((address) => [address, outcome])),
  );
  const scapy = await readByScapy(merged, [...ours.keys()]);
  const tshark = await tsharkPrefixes(merged);
  let messages = 0;
  let routes = 0;
  for (const [sender, view] of Object.entries(scapy)) {
    const { cell, originated } = ours.get(sender)!;
    messages += view.messages;
    routes += view.routes.length;
    const read = [...new Set(view.routes.map(([prefix]) => prefix))].sort();
    const addresses = [...new Set(read.map((prefix) => prefix.split('/')[0]))].sort();
    const other = [...(tshark.get(sender) ?? [])].sort();
    const place = `${cell.kind} ${cell.row.name}`;
    if (cell.row.unreadable !== 'tshark' && addresses.join() !== other.join()) {
      complaints.push(`${place}: scapy reads ${read}, tshark reads ${other}`);
    }
    const strange = read.filter((prefix) => !originated.includes(prefix));
    if (strange.length > 0) complaints.push(`${place}: scapy reads ${strange}, which we did not originate`);
  }
  return { messages, routes, complaints };
}

/** Messages of ours that tshark finds malformed or warns about, one text for each. */
async function tsharkComplaints(file: string, outcomes: CellOutcome[]): Promise<string[]> {
  const marked = 'bgp and (_ws.malformed or _ws.expert.severity >= 0x00600000)';
  const fields = ['ip.src', 'ipv6.src', '_ws.expert.message', '_ws.malformed'];
  const lines: string[] = [];
  for (const [ip, ip6, expert = '', malformed = ''] of await tsharkFields('verify', file, marked, fields)) {
    const outcome = outcomes.find(
      ({ ourAddresses, cell }) => cell.row.unreadable !== 'tshark' && ourAddresses.includes(ip || ip6),
    );
    const texts = expert.split(',').filter((text) => text !== '' && !TRANSPORT.test(text.trim()));
    if (outcome && (texts.length > 0 || malformed !== '')) {
      lines.push(`${outcome.cell.kind} ${outcome.cell.row.name}: tshark: ${texts.join(',')} ${malformed}`);
    }
  }
  return lines;
}

/** The prefixes, without their lengths, that tshark reads from each sender's UPDATEs. */
async function tsharkPrefixes(file: string): Promise<Map<string, Set<string>>> {
  const packets = await tsharkFields('verify', file, 'bgp.type == 2', [
    'ip.src',
    'ipv6.src',
    ...PREFIX_FIELDS,
  ]);
  const result = new Map<string, Set<string>>();
  for (const [ip, ip6, ...prefixes] of packets) {
    const sender = ip || ip6;
    const known = result.get(sender) ?? new Set();
    result.set(sender, known);
    for (const list of prefixes) for (const prefix of list.split(',')) if (prefix) known.add(prefix);
  }
  return result;
}
