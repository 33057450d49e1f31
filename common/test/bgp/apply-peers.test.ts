import assert from 'node:assert/strict';
import { type PeerConfig, type PeerOptions, type PolicySet, peerConfig } from 'bgp-js';
import { applyPeers } from '../../bgp/apply-peers.ts';

const POLICIES: PolicySet = { prefixLists: {}, asPathLists: {}, communityLists: {}, policies: {} };

function peer(address: string | undefined, fields: Partial<PeerOptions> = {}): PeerConfig {
  return peerConfig({ as: 64512, address, ...fields });
}

/** A host whose speaker records its calls. */
function recorder() {
  const calls: string[] = [];
  const record =
    (name: string) =>
    (subject: PeerConfig | string, at: number): void => {
      calls.push(
        `${name} ${typeof subject === 'string' ? subject : (subject.address ?? subject.range)} at ${at}`,
      );
    };
  const speaker = {
    setPolicies: (policies: PolicySet, keep = false) => {
      assert.equal(policies, POLICIES);
      calls.push(`policies${keep ? ', keeping the old ones' : ''}`);
    },
    addPeer: record('add'),
    updatePeer: record('update'),
    removePeer: record('remove'),
  };
  return { host: { speaker, now: () => 7 }, calls };
}

describe('peers of changed settings', () => {
  it('are added, updated and removed, with policies kept until no peer names them', () => {
    const { host, calls } = recorder();
    const range = { range: '10.1.0.0/16' };
    applyPeers(host, {
      before: [peer('10.0.0.1'), peer('10.0.0.2'), peer('10.0.0.3'), peer(undefined, range)],
      after: [
        peer('10.0.0.1'),
        peer('10.0.0.2', { importPolicy: 'in' }),
        peer('10.0.0.4'),
        peer(undefined, { ...range, transport: { ttl: 4 } }),
      ],
      policies: POLICIES,
    });
    assert.deepEqual(calls, [
      'policies, keeping the old ones',
      'update 10.0.0.2 at 7',
      'add 10.0.0.4 at 7',
      'update 10.1.0.0/16 at 7',
      'remove 10.0.0.3 at 7',
      'policies',
    ]);
  });

  it('that differ only in the order of their keys are left alone', () => {
    const { host, calls } = recorder();
    const { name, ...rest } = peer('10.0.0.1');
    applyPeers(host, { before: [peer('10.0.0.1')], after: [{ ...rest, name }], policies: POLICIES });
    assert.deepEqual(calls, ['policies, keeping the old ones', 'policies']);
  });
});
