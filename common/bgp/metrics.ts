/** The metrics of a BGP speaker; both daemons show the same. */
import { type PeerStatus, peerStatusesInPieces, policyInfos, routeCounts } from 'bgp-js';
import type { SpeakerHost } from 'bgp-js/net';
import type { Metrics, Sample } from '../http/metrics.ts';

/** Adds the metrics of the speaker that `host` runs. */
export function addBgpMetrics(metrics: Metrics, host: SpeakerHost): void {
  const { speaker } = host;
  let peers: PeerStatus[] = [];
  metrics.beforeScrape(function* () {
    peers = yield* peerStatusesInPieces(speaker, () => host.now());
  });
  const perPeer = (value: (peer: PeerStatus) => number) =>
    function* (): Iterable<Sample> {
      for (const peer of peers) yield [value(peer), peer.name, String(peer.as)];
    };
  const labels = ['peer', 'as'];
  const gauge = (name: string, help: string, value: (peer: PeerStatus) => number) =>
    metrics.gauge(`flatroute_bgp_peer_${name}`, help, labels, perPeer(value));
  const counter = (name: string, help: string, value: (peer: PeerStatus) => number) =>
    metrics.counter(`flatroute_bgp_peer_${name}_total`, help, labels, perPeer(value));
  gauge('up', '1 while the session is established', (peer) => (peer.state === 'Established' ? 1 : 0));
  gauge('prefixes_received', 'Prefixes in Adj-RIB-In', (peer) => peer.prefixes.received);
  gauge('prefixes_accepted', 'Prefixes in Adj-RIB-In that are usable', (peer) => peer.prefixes.accepted);
  gauge('prefixes_sent', 'Prefixes advertised to the peer', (peer) => peer.prefixes.sent);
  gauge('prefixes_maximum', 'Prefixes at which the session is closed', (peer) => peer.prefixes.maximum);
  gauge('prefixes_dropped', 'Prefixes not taken in, above the maximum', (peer) => peer.prefixes.dropped);
  gauge('attribute_octets', 'Octets of path attributes held for the peer', (peer) => peer.attributeOctets);
  counter('messages_received', 'BGP messages received', (peer) => peer.counters.received);
  counter('messages_sent', 'BGP messages sent', (peer) => peer.counters.sent);
  counter('updates_received', 'UPDATE messages received', (peer) => peer.counters.updatesReceived);
  counter('updates_sent', 'UPDATE messages sent', (peer) => peer.counters.updatesSent);
  counter('established', 'Sessions established', (peer) => peer.counters.established);
  counter(
    'treated_as_withdraw',
    'UPDATE messages with a defect that withdrew their routes (RFC 7606)',
    (peer) => peer.counters.treatedAsWithdraw,
  );
  counter(
    'attributes_discarded',
    'UPDATE messages with a defect that dropped an attribute (RFC 7606)',
    (peer) => peer.counters.attributesDiscarded,
  );
  metrics.counter(
    'flatroute_bgp_peer_malformed_attributes_total',
    'Malformed attributes received, by what RFC 7606 wants done about them',
    [...labels, 'attribute', 'handling'],
    () =>
      peers.flatMap(({ name, as, counters }) =>
        [...counters.malformed.values()].map(
          ({ attribute, handling, count }): Sample => [count, name, String(as), attribute, handling],
        ),
      ),
  );
  metrics.counter(
    'flatroute_policy_rule_hits_total',
    'Routes to which a rule of a policy was applied; the rule "otherwise" is for those that none decided about',
    ['policy', 'rule'],
    () =>
      policyInfos(speaker).flatMap(({ name, rules, otherwise }) => [
        ...rules.map((rule): Sample => [rule.hits, name, rule.name]),
        [otherwise.hits, name, 'otherwise'] as Sample,
      ]),
  );
  const count = (read: () => number) => (): Sample[] => [[read()]];
  metrics.gauge(
    'flatroute_rib_prefixes',
    'Prefixes in the RIB',
    [],
    count(() => routeCounts(speaker).prefixes),
  );
  metrics.gauge(
    'flatroute_rib_paths',
    'Paths in the RIB',
    [],
    count(() => routeCounts(speaker).paths),
  );
  metrics.gauge(
    'flatroute_rib_attribute_sets',
    'Distinct sets of path attributes in the RIB',
    [],
    count(() => routeCounts(speaker).attributeSets),
  );
  metrics.gauge(
    'flatroute_slice_longest_seconds',
    'The longest slice of BGP work so far',
    [],
    count(() => host.slices.longestMs / 1000),
  );
  metrics.counter(
    'flatroute_slices_total',
    'Slices of BGP work',
    [],
    count(() => host.slices.count),
  );
}
