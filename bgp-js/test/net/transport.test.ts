import assert from 'node:assert/strict';
import { setTimeout as pause } from 'node:timers/promises';
import type { PeerConfig, PeerOptions } from 'bgp-js';
import { birdPeer, Lab, peerOf, run, until } from './lab.ts';

describe('TCP of sessions with BIRD', () => {
  let lab: Lab;
  beforeEach(() => {
    lab = new Lab();
  });
  afterEach(() => lab.remove());

  const IPV4 = { address: '10.9.0.2' };
  const neighbour = (options: string): string => birdPeer(`neighbor 10.9.0.1 as 64512; ${options}`);

  describe('TCP MD5 signature (RFC 2385)', () => {
    for (const [title, ours, theirs] of [
      ['we connect', { passive: false }, 'passive;'],
      ['the peer connects', { passive: true }, ''],
    ] as const) {
      it(`establishes with the same key, ${title}`, async () => {
        await lab.bird(neighbour(`password "secret one"; ${theirs}`));
        const speaker = await lab.speaker({ ...IPV4, ...ours, transport: { password: 'secret one' } });
        await speaker.event('established');
      });

      it(`does not establish with another key, ${title}`, async () => {
        const bird = await lab.bird(neighbour(`password "secret one"; ${theirs}`));
        const speaker = await lab.speaker({ ...IPV4, ...ours, transport: { password: 'secret two' } });
        // Both sides try to connect; the kernels count the segments they drop.
        await until('a dropped segment', () => {
          const counts = [lab.ours, lab.theirs].map((netns) =>
            run('nsenter', `--net=/run/netns/${netns}`, 'nstat', '-asz', 'TcpExtTCPMD5Failure'),
          );
          return counts.some((text) => Number(/TCPMD5Failure\s+(\d+)/.exec(text)?.[1]) >= 2);
        });
        assert.ok(!speaker.events.some(({ type }) => type === 'established'));
        // With the right key the session establishes: nothing else was wrong.
        bird.reconfigure(neighbour(`password "secret two"; ${theirs}`));
        await speaker.event('established');
      });
    }

    it('takes a key for an IPv4 range on a dual-stack listener', async () => {
      await lab.bird(neighbour('password "of the rack";'));
      const speaker = await lab.speaker({
        range: '10.9.0.0/24',
        passive: true,
        transport: { password: 'of the rack' },
      });
      await speaker.event('established');
    });

    it('takes a key for an IPv6 range', async () => {
      await lab.bird(birdPeer('neighbor 2001:db8:9::1 as 64512; password "of the rack";'));
      const transport = { password: 'of the rack' };
      const speaker = await lab.speaker({ range: '2001:db8:9::/64', passive: true, transport });
      await speaker.event('established');
    });

    it('drops an unsigned connection of a peer with a key', async () => {
      await lab.bird(neighbour(''));
      const speaker = await lab.speaker({ ...IPV4, passive: true, transport: { password: 'secret' } });
      await until('a dropped SYN', () =>
        /TCPMD5NotFound\s+[1-9]/.test(
          run('nsenter', `--net=/run/netns/${lab.ours}`, 'nstat', '-asz', 'TcpExtTCPMD5NotFound'),
        ),
      );
      assert.ok(!speaker.events.some(({ type }) => type === 'established'));
    });

    it('changes the key of a live session', async () => {
      // BIRD resets the session for that, so both sides are our speakers.
      const side = (address: string, password: string): PeerConfig =>
        peerOf({ address, as: 64512, holdTime: 3, transport: { password } });
      const left = await lab.speaker(side('10.9.0.2', 'old'));
      const right = await lab.otherSpeaker(side('10.9.0.1', 'old'));
      await left.event('established');
      const before = (await left.status()).counters.received;
      left.update(side('10.9.0.2', 'new'));
      right.update(side('10.9.0.1', 'new'));
      let received = before;
      // Longer than the hold time: without the new key on both sides the session would have ended.
      for (let turn = 0; turn < 50 && received < before + 6; turn++) {
        await pause(200);
        received = (await left.status()).counters.received;
      }
      assert.ok(received >= before + 6, `${received - before} keepalives arrived with the new key`);
      assert.ok(![...left.events, ...right.events].some(({ type }) => type === 'down'));
      // With a key on one side alone nothing arrives: the key is checked.
      left.update(side('10.9.0.2', 'newer'));
      await left.event('down', /Hold Timer/i);
    });
  });

  describe('GTSM (RFC 5082), TTL and interface', () => {
    for (const [title, fields] of [
      ['we connect', {}],
      ['the peer connects', { passive: true }],
    ] as [string, Partial<PeerOptions>][]) {
      it(`establishes when both sides use GTSM, ${title}`, async () => {
        await lab.bird(neighbour('ttl security on;'));
        const speaker = await lab.speaker({ ...IPV4, ...fields, transport: { ttlSecurity: 1 } });
        await speaker.event('established');
      });
    }

    it('refuses a peer that sends with TTL 64, and says why', async () => {
      await lab.bird(neighbour('multihop 64;'));
      const speaker = await lab.speaker({ ...IPV4, passive: true, transport: { ttlSecurity: 1 } });
      const refused = await speaker.event('refused', /TTL of 64, GTSM requires at least 255/);
      assert.equal(refused.type === 'refused' && refused.address, '10.9.0.2');
      assert.ok(!speaker.events.some(({ type }) => type === 'established'));
    });

    it('drops answers with TTL 64', async () => {
      await lab.bird(neighbour('multihop 64; passive;'));
      const speaker = await lab.speaker({ ...IPV4, transport: { ttlSecurity: 1 } });
      await until('a dropped segment', () =>
        /TCPMinTTLDrop\s+[1-9]/.test(
          run('nsenter', `--net=/run/netns/${lab.ours}`, 'nstat', '-asz', 'TcpExtTCPMinTTLDrop'),
        ),
      );
      assert.ok(!speaker.events.some(({ type }) => type === 'established'));
    });

    it('establishes over IPv6', async () => {
      await lab.bird(birdPeer('neighbor 2001:db8:9::1 as 64512; ttl security on;'));
      const speaker = await lab.speaker({ address: '2001:db8:9::2', transport: { ttlSecurity: 1 } });
      await speaker.event('established');
    });

    for (const [title, address, configuration] of [
      ['IPv4', '10.9.0.2', 'neighbor 10.9.0.1 as 64512; passive;'],
      ['IPv6', '2001:db8:9::2', 'neighbor 2001:db8:9::1 as 64512; passive;'],
    ] as const) {
      it(`binds the connection to the configured interface, over ${title}`, async () => {
        await lab.bird(birdPeer(configuration));
        const speaker = await lab.speaker({ address, transport: { interface: 'v0' } });
        await speaker.event('established');
        // ss shows the interface of a bound socket behind its address.
        const sockets = run('nsenter', `--net=/run/netns/${lab.ours}`, 'ss', '-tnH', 'dport = :179');
        assert.match(sockets, /%v0\]?:/);
      });
    }

    it('sends with the configured TTL and DSCP', async () => {
      const packets = lab.capture(1, 'src 10.9.0.1 and tcp dst port 179');
      await pause(500);
      await lab.bird(neighbour('multihop; passive;'));
      const speaker = await lab.speaker({ ...IPV4, transport: { ttl: 7, dscp: 46 } });
      await speaker.event('established');
      assert.match(await packets, /tos 0xb8, ttl 7,/);
    });

    it('sends with them on a connection that the peer opened', async () => {
      const packets = lab.capture(4, 'src 10.9.0.1 and tcp src port 179');
      await pause(500);
      await lab.bird(neighbour('multihop;'));
      const speaker = await lab.speaker({ ...IPV4, passive: true, transport: { ttl: 7, dscp: 46 } });
      await speaker.event('established');
      // The SYN-ACK is the listener's, before the connection is known to be this peer's.
      assert.match(await packets, /tos 0xb8, ttl 7,/);
    });
  });
});
