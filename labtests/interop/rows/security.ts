/** Protection of the TCP connection: MD5 signatures and GTSM. */

import assert from 'node:assert/strict';
import { until } from '../../lab/wait.ts';
import type { InteropBench } from '../bench.ts';
import { THEIR_PREFIX, weHave } from './basics.ts';
import type { MatrixRow } from './row.ts';

/** A counter of the kernel's TCP in our namespace. */
async function tcpCounter(bench: InteropBench, name: string): Promise<number> {
  const text = await bench.runIn('us', ['nstat', '-asz', `TcpExt${name}`]);
  return Number(new RegExp(`^TcpExt${name} +(\\d+)`, 'm').exec(text)?.[1]);
}

/** How many captured packets pass a filter of tcpdump. */
async function captured(bench: InteropBench, filter: string): Promise<number> {
  const file = await bench.endCapture();
  assert.ok(file);
  const text = await bench.runIn('us', ['tcpdump', '-n', '-r', file, filter]);
  return text.split('\n').filter((line) => line !== '').length;
}

async function neverEstablished(bench: InteropBench): Promise<void> {
  assert.notEqual((await bench.speaker.peer()).state, 'Established');
  assert.equal((await bench.speaker.peer()).counters.established, 0);
  assert.equal(await bench.router.established().catch(() => false), false);
}

async function sameKey(bench: InteropBench): Promise<void> {
  const password = 'a key that both know';
  const key = bench.kind === 'frr' || bench.kind === 'openbgpd' ? password.replaceAll(' ', '-') : password;
  await bench.bring({
    type: 'eBGP',
    // OpenBGPD sets the key on connections that it opens, not on its listening socket.
    connects: bench.kind === 'openbgpd' ? 'peer' : 'us',
    announce: [{ prefix: THEIR_PREFIX }],
    ours: { transport: { password: key } },
    theirs: { password: key },
  });
  await weHave(bench, THEIR_PREFIX);
  assert.equal(await tcpCounter(bench, 'TCPMD5Failure'), 0);
  // Option 19 (RFC 2385) takes 20 octets with its padding: no segment has a header of fewer than 40.
  assert.equal(await captured(bench, 'tcp[12] >> 4 < 10 and not tcp[tcpflags] & tcp-rst != 0'), 0);
}

async function wrongKey(bench: InteropBench): Promise<void> {
  await bench.start({
    type: 'eBGP',
    ours: { transport: { password: 'ours' } },
    theirs: { password: 'theirs', passive: false },
    connects: 'both',
  });
  await until('the kernel to refuse a segment', async () => (await tcpCounter(bench, 'TCPMD5Failure')) > 0);
  await neverEstablished(bench);
}

async function gtsm(bench: InteropBench): Promise<void> {
  await bench.bring({
    type: 'eBGP',
    // ExaBGP sets the TTL on connections that it opens, not on those that it accepts; FRR sets it on those only after its
    // first answer.
    connects: bench.kind === 'exabgp' || bench.kind === 'frr' ? 'peer' : 'us',
    announce: [{ prefix: THEIR_PREFIX }],
    ours: { transport: { ttlSecurity: 1 } },
    theirs: { gtsm: true },
  });
  await weHave(bench, THEIR_PREFIX);
  assert.equal(await tcpCounter(bench, 'TCPMinTTLDrop'), 0);
  assert.ok((await captured(bench, `src host ${bench.ours.ipv4} and ip[8] = 255`)) > 3);
}

async function gtsmRefuses(bench: InteropBench): Promise<void> {
  await bench.start({
    type: 'eBGP',
    connects: 'both',
    ours: { transport: { ttlSecurity: 1 } },
  });
  await until('the kernel to drop a packet for its TTL', async () => {
    return (await tcpCounter(bench, 'TCPMinTTLDrop')) > 0;
  });
  await neverEstablished(bench);
}

export const security: MatrixRow[] = [
  {
    name: 'md5',
    title: 'TCP MD5 (RFC 2385) with the right key: every segment is signed',
    run: sameKey,
  },
  { name: 'md5-wrong', title: 'TCP MD5 with the wrong key: no session', run: wrongKey },
  {
    name: 'gtsm',
    title: 'GTSM (RFC 5082): a session with TTL 255 both ways',
    run: gtsm,
  },
  {
    name: 'gtsm-refuses',
    title: 'GTSM on our side: a peer that sends a lower TTL gets no session',
    run: gtsmRefuses,
  },
];
