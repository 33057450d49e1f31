/** Monitors of liveness: a session with an unreachable peer ends long before its hold timer. */
import assert from 'node:assert/strict';
import type { LivenessMonitor } from '../../net/liveness.ts';
import type { Peer } from '../../session/peer.ts';
import { peerConfig } from '../../session/peer-config.ts';
import { Lab, run } from './lab.ts';
import { AS, Node, until } from './tcp.ts';

/** A monitor that the test plays. */
class HandMonitor implements LivenessMonitor {
  followed: Peer[] = [];
  onDown: LivenessMonitor['onDown'] = () => assert.fail('the host has set its own callback');

  follow(peers: Iterable<Peer>): void {
    this.followed = [...peers];
  }
}

describe('a monitor of liveness', () => {
  it('follows peers out of ranges as they connect and end their sessions', async () => {
    const monitor = new HandMonitor();
    const a = new Node('127.0.0.1', { livenessMonitors: [monitor] });
    const b = new Node('127.0.0.2');
    try {
      await a.host.start();
      a.host.speaker.addPeer(peerConfig({ as: AS, range: '127.0.0.0/24' }), a.host.now());
      a.host.wake();
      b.peer('127.0.0.1', { port: a.host.port });
      await b.host.start();
      await until(() => monitor.followed.length === 1, 'the peer to be followed');
      await b.host.stop('the test is over');
      await until(() => monitor.followed.length === 0, 'the peer to be followed no longer');
    } finally {
      await Promise.all([a, b].map(({ host }) => host.stop('the test is over')));
    }
  });

  it('follows the configured peers, and ends the session of one that is down', async () => {
    const monitor = new HandMonitor();
    const a = new Node('127.0.0.1', { livenessMonitors: [monitor] });
    const b = new Node('127.0.0.2');
    try {
      await a.host.start();
      await b.host.start();
      a.peer('127.0.0.2', { port: b.host.port, holdTime: 90 });
      b.peer('127.0.0.1', { passive: true });
      await until(() => a.status('127.0.0.2').state === 'Established', 'a session');
      assert.deepEqual(
        monitor.followed.map(({ name }) => name),
        ['127.0.0.2'],
      );
      monitor.onDown(monitor.followed[0], 'no answer to BFD');
      await until(() => a.countOf('down') === 1, 'the session to end');
      assert.equal(a.status('127.0.0.2').lastError?.text, 'no answer to BFD');
    } finally {
      await Promise.all([a, b].map(({ host }) => host.stop('the test is over')));
    }
    assert.deepEqual(monitor.followed, [], 'a host that has stopped follows nobody');
  });
});

describe('the link of an unnumbered peer', () => {
  it('ends the session when it goes down', async () => {
    const lab = new Lab();
    try {
      const unnumbered = {
        address: undefined,
        name: 'neighbour',
        holdTime: 90,
        transport: { interface: 'v0' },
      };
      const families = ['ipv6-unicast'];
      const near = await lab.speaker({ ...unnumbered, families, as: 64512 });
      await lab.otherSpeaker({ ...unnumbered, families, as: 64512 });
      await near.event('established');
      run('ip', '-n', lab.theirs, 'link', 'set', 'v0', 'down');
      const down = await near.event('down');
      assert.deepEqual(down, { type: 'down', peer: 'neighbour', reason: 'v0 is down' });
    } finally {
      await lab.remove();
    }
  });
});
