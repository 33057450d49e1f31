/** The metrics of a BGP speaker, which both daemons have. */
import { type PeerStatus, peerStatusesInPieces, policyInfos, routeCounts } from 'bgp-js';
import type { SpeakerHost } from 'bgp-js/net';
import type { Metrics, Sample } from '../http/metrics.ts';

/** Adds the metrics of the speaker that `host` runs. */
export function addBgpMetrics(metrics: Metrics, host: SpeakerHost): void {
  addPeerMetrics(metrics, host);
  addPolicyMetrics(metrics, host);
  addRibMetrics(metrics, host);
  addSliceMetrics(metrics, host);
}

const PEER_LABELS = ['peer', 'as'];

/** Name after `flatroute_bgp_peer_`, help text, and value. */
type PeerMetric = [name: string, help: string, value: (peer: PeerStatus) => number];

const PEER_GAUGES: readonly PeerMetric[] = [
  ['up', '1 while the session is established', ({ state }) => (state === 'Established' ? 1 : 0)],
  ['prefixes_received', 'Prefixes in Adj-RIB-In', ({ prefixes }) => prefixes.received],
  ['prefixes_accepted', 'Prefixes in Adj-RIB-In that are usable', ({ prefixes }) => prefixes.accepted],
  ['prefixes_sent', 'Prefixes advertised to the peer', ({ prefixes }) => prefixes.sent],
  ['prefixes_maximum', 'Prefixes at which the session is closed', ({ prefixes }) => prefixes.maximum],
  ['prefixes_dropped', 'Received prefixes ignored above the maximum', ({ prefixes }) => prefixes.dropped],
  ['attribute_octets', 'Bytes of path attributes held for the peer', (peer) => peer.attributeOctets],
];

const PEER_COUNTERS: readonly PeerMetric[] = [
  ['messages_received', 'BGP messages received', ({ counters }) => counters.received],
  ['messages_sent', 'BGP messages sent', ({ counters }) => counters.sent],
  ['updates_received', 'UPDATE messages received', ({ counters }) => counters.updatesReceived],
  ['updates_sent', 'UPDATE messages sent', ({ counters }) => counters.updatesSent],
  ['established', 'Sessions established', ({ counters }) => counters.established],
  [
    'treated_as_withdraw',
    'UPDATE messages with a defect whose routes were treated as withdrawn (RFC 7606)',
    ({ counters }) => counters.treatedAsWithdraw,
  ],
  [
    'attributes_discarded',
    'UPDATE messages with a defect of which an attribute was discarded (RFC 7606)',
    ({ counters }) => counters.attributesDiscarded,
  ],
];

function addPeerMetrics(metrics: Metrics, host: SpeakerHost): void {
  // Read once for all families of a scrape.
  let peers: PeerStatus[] = [];
  metrics.beforeScrape(function* () {
    peers = yield* peerStatusesInPieces(host.speaker, () => host.now());
  });
  const perPeer = (value: (peer: PeerStatus) => number) =>
    function* (): Iterable<Sample> {
      for (const peer of peers) yield [value(peer), peer.name, String(peer.as)];
    };
  for (const [name, help, value] of PEER_GAUGES)
    metrics.gauge(`flatroute_bgp_peer_${name}`, help, PEER_LABELS, perPeer(value));
  for (const [name, help, value] of PEER_COUNTERS)
    metrics.counter(`flatroute_bgp_peer_${name}_total`, help, PEER_LABELS, perPeer(value));
  metrics.counter(
    'flatroute_bgp_peer_malformed_attributes_total',
    'Malformed attributes received, by the handling that RFC 7606 demands',
    [...PEER_LABELS, 'attribute', 'handling'],
    () =>
      peers.flatMap(({ name, as, counters }) =>
        [...counters.malformed.values()].map(
          ({ attribute, handling, count }): Sample => [count, name, String(as), attribute, handling],
        ),
      ),
  );
}

function addPolicyMetrics(metrics: Metrics, { speaker }: SpeakerHost): void {
  metrics.counter(
    'flatroute_policy_rule_hits_total',
    'Routes to which a rule of a policy was applied; the rule "otherwise" counts routes that no rule accepted or rejected',
    ['policy', 'rule'],
    () =>
      policyInfos(speaker).flatMap(({ name, rules, otherwise }) => [
        ...rules.map((rule): Sample => [rule.hits, name, rule.name]),
        [otherwise.hits, name, 'otherwise'] as Sample,
      ]),
  );
}

function addRibMetrics(metrics: Metrics, { speaker }: SpeakerHost): void {
  const gauge = (name: string, help: string, key: keyof ReturnType<typeof routeCounts>) =>
    metrics.gauge(`flatroute_rib_${name}`, help, [], () => [[routeCounts(speaker)[key]]]);
  gauge('prefixes', 'Prefixes in the RIB', 'prefixes');
  gauge('paths', 'Paths in the RIB', 'paths');
  gauge('attribute_sets', 'Distinct sets of path attributes in the RIB', 'attributeSets');
}

function addSliceMetrics(metrics: Metrics, { slices }: SpeakerHost): void {
  metrics.gauge('flatroute_slice_longest_seconds', 'The longest slice of BGP work so far', [], () => [
    [slices.longestMs / 1000],
  ]);
  metrics.counter('flatroute_slices_total', 'Slices of BGP work', [], () => [[slices.count]]);
}
