import assert from 'node:assert/strict';
import type { PolicySet } from 'bgp-js';
import type { SpeakerHost } from 'bgp-js/net';
import { Simulation } from 'bgp-js-testing';
import { addBgpMetrics } from '../../bgp/metrics.ts';
import { Metrics } from '../../http/metrics.ts';

const POLICIES: PolicySet = {
  prefixLists: {},
  asPathLists: {},
  communityLists: {},
  policies: {
    in: {
      rules: [{ name: 'no-lab', match: { prefixes: ['10.9.0.0/16'] }, action: 'reject' }],
      otherwise: 'accept',
    },
  },
};

describe('the metrics of a BGP speaker', () => {
  it('have the state of each peer, of policies, of the RIB and of slices', async () => {
    const sim = new Simulation(6);
    const node = sim.add({ as: 64512 }, '10.0.0.1');
    const mate = sim.add({ as: 64512 }, '10.0.0.2');
    node.speaker.setPolicies(POLICIES);
    mate.speaker.setPolicies(POLICIES);
    sim.peer(node, mate, { importPolicy: 'in', maximumPrefixes: 1000 });
    mate.speaker.originate('10.244.2.0/26');
    mate.speaker.originate('10.9.0.0/16');
    node.speaker.originate('10.244.1.0/26');
    sim.run(5000);
    const host = { speaker: node.speaker, now: () => sim.now, slices: { longestMs: 5, count: 3 } };
    const metrics = new Metrics({ processMetrics: false });
    addBgpMetrics(metrics, host as unknown as SpeakerHost);
    const text = await metrics.text();
    const peer = '{peer="10.0.0.2",as="64512"}';
    const lines = text.split('\n').filter((line) => line !== '' && !line.startsWith('#'));
    const found = new Map(
      lines.map((line) => [line.slice(0, line.lastIndexOf(' ')), line.split(' ').at(-1)]),
    );
    const expected: Record<string, string> = {
      [`flatroute_bgp_peer_up${peer}`]: '1',
      [`flatroute_bgp_peer_prefixes_received${peer}`]: '2',
      [`flatroute_bgp_peer_prefixes_accepted${peer}`]: '1',
      [`flatroute_bgp_peer_prefixes_sent${peer}`]: '1',
      [`flatroute_bgp_peer_prefixes_maximum${peer}`]: '1000',
      [`flatroute_bgp_peer_prefixes_dropped${peer}`]: '0',
      [`flatroute_bgp_peer_established_total${peer}`]: '1',
      [`flatroute_bgp_peer_treated_as_withdraw_total${peer}`]: '0',
      [`flatroute_bgp_peer_attributes_discarded_total${peer}`]: '0',
      'flatroute_policy_rule_hits_total{policy="in",rule="no-lab"}': '1',
      'flatroute_policy_rule_hits_total{policy="in",rule="otherwise"}': '1',
      flatroute_rib_prefixes: '3',
      flatroute_rib_paths: '3',
      flatroute_slice_longest_seconds: '0.005',
      flatroute_slices_total: '3',
    };
    for (const [name, value] of Object.entries(expected)) assert.equal(found.get(name), value, name);
    const positive = ['attribute_octets', 'messages_received_total', 'messages_sent_total'];
    for (const name of [...positive, 'updates_received_total', 'updates_sent_total'])
      assert.ok(Number(found.get(`flatroute_bgp_peer_${name}${peer}`)) > 0, name);
    assert.ok(Number(found.get('flatroute_rib_attribute_sets')) > 0);
    assert.match(text, /^# TYPE flatroute_bgp_peer_malformed_attributes_total counter$/m);
  });
});
