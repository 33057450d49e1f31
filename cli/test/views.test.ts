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
