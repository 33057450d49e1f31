import assert from 'node:assert/strict';
import { FakeSource } from '@flatroute/common/test/http/fake-source.ts';
import { policiesLines } from '../policy-views.ts';
import { routesLines } from '../route-views.ts';
import { peerLines, peersLines, podsLines, statusLines } from '../views.ts';

describe('views as text', () => {
  const source = new FakeSource({ peers: 3, routes: 5, pods: 2 });

  it('say in one line that there is nothing to list', () => {
    assert.deepEqual(peersLines({ peers: [], total: 0, states: {} }, 0), [
      'no peers; configure them under "peers"',
    ]);
    assert.deepEqual(podsLines([]), ['no pods on this node']);
    assert.deepEqual(routesLines([], { offset: 0, total: 0 }), ['no routes']);
    assert.deepEqual(routesLines([], { offset: 0, total: 0, search: 'x' }), ['no routes with "x"']);
    assert.deepEqual(policiesLines([]), [
      'no policies; define them under "policies", and name them on peers',
    ]);
  });

  it('say that all peers are up, or how many are not and how many match', () => {
    const peers = source.peers().slice(0, 1);
    assert.match(
      peersLines({ peers, total: 1, states: { Established: 1 } }, 0)[0],
      /^1 peer: 1 established$/,
    );
    const states = { Established: 2, Idle: 1 } as const;
    assert.match(peersLines({ peers, total: 1, states }, 0)[0], /^3 peers: 2 established, 1 Idle; 1 match$/);
    assert.equal(peersLines({ peers: [], total: 0, states }, 0).length, 1);
  });

  it('advise what to do while no session is up, and only then', () => {
    const status = source.status();
    const next = (established: number, prefixes: number) => {
      const changed = {
        ...status,
        peers: { configured: 3, established },
        routes: { ...status.routes, prefixes },
      };
      return statusLines(changed).some((line) => line.includes('no session is up; "flatroute peers"'));
    };
    assert.deepEqual([next(0, 0), next(1, 0), next(0, 1)], [true, false, false]);
  });

  it('say why a daemon is not ready', () => {
    const status = { ...source.status(), ready: false, reasons: ['the agent is starting', 'no range'] };
    assert.ok(statusLines(status).some((line) => /^Ready +no: the agent is starting; no range$/.test(line)));
  });

  it('show the router id, the prefixes, the messages and the attributes of a peer', () => {
    const [peer] = source.peers();
    const prefixes = {
      ...peer.prefixes,
      received: 5,
      maximum: 1000,
      accepted: 4,
      best: 3,
      sent: 2,
      dropped: 1,
    };
    const messages = { ...peer.messages, received: 90, sent: 80, updatesReceived: 7, updatesSent: 6 };
    const counts = { prefixes, messages, attributeOctets: 4321 };
    const lines = peerLines({ ...peer, ...counts, routerId: '10.0.0.77' });
    const after = (label: string) =>
      lines
        .find((line) => line.startsWith(label))
        ?.slice(label.length)
        .trim();
    assert.equal(after('Router id'), '10.0.0.77');
    assert.equal(after('Prefixes'), '5 received (at most 1,000), 1 ignored, 4 usable, 3 best, 2 sent');
    assert.equal(after('Messages'), '90 in, 80 out, of which updates 7 in, 6 out');
    assert.equal(after('Attributes'), '4,321 bytes');
  });

  it('name the direction in which a peer lacks a policy', () => {
    const [peer] = source.peers();
    const text = (missing: ('import' | 'export')[]) =>
      peerLines({ ...peer, policies: { export: 'out' }, policyMissing: missing }).find((line) =>
        line.startsWith('Policies'),
      );
    assert.match(text(['import']) ?? '', /import: no policy, so no routes \(RFC 8212\), export: out$/);
    assert.match(text([]) ?? '', /import: no policy, export: out$/);
  });
});
