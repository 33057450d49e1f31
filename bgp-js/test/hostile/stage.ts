/** Two stages for a case: the core with octets fed by hand under virtual time, and a speaker on TCP. */
import net from 'node:net';
import { Bench, type BenchConnection, FarEnd, peerConfig } from 'bgp-js-testing/index.ts';
import { SpeakerHost } from '../../net/index.ts';
import { Speaker } from '../../speaker/speaker.ts';
import { ATTACKER_AS, CLUSTER, type HostileCase, LOCAL_ADDRESS, LOCAL_AS } from './hostile-case.ts';

export const ATTACKER = '127.0.1.9';
export const WITNESS = '127.0.1.8';
export const WITNESS_AS = 65008;

/** A connection of the test with the speaker. */
export interface StageConnection {
  end: FarEnd;
  send(bytes: Uint8Array): void;
}

export interface Stage {
  speaker: Speaker;
  /** Connects from `address`, repeatedly until the speaker accepts. */
  connect(address: string): Promise<StageConnection>;
  /** Waits until the condition holds. Rejects when it never does; `what` names the condition. */
  until(condition: () => boolean, what: string): Promise<void>;
  end(): Promise<void>;
}

/** Time-out of a condition on TCP, ms: ten times what any passing case takes. */
const TIMEOUT_MS = 10_000;

const speakerConfig = {
  as: LOCAL_AS,
  routerId: LOCAL_ADDRESS,
  address: LOCAL_ADDRESS,
  clusterId: CLUSTER,
  maximumPaths: 1,
};

function peers({ ibgp, twoOctet: _ }: HostileCase) {
  // A short time before the peer may connect again after an error.
  const common = { passive: true, requirePolicy: false, connectRetry: 1 };
  const as = ibgp ? LOCAL_AS : ATTACKER_AS;
  return [
    peerConfig({ ...common, name: 'attacker', address: ATTACKER, as, client: ibgp ?? false }),
    peerConfig({ ...common, name: 'witness', address: WITNESS, as: WITNESS_AS }),
  ];
}

/** The core: all work is done when `send` returns, so a condition holds then or never. */
export async function coreStage(test: HostileCase): Promise<Stage> {
  const bench = new Bench(speakerConfig);
  for (const config of peers(test)) bench.addPeer(config);
  return {
    speaker: bench.speaker,
    async connect(address) {
      let connection: BenchConnection | null = null;
      for (let tries = 0; tries < 1000 && !connection; tries++) {
        connection = bench.connect(address);
        if (!connection) bench.wait(100);
      }
      if (!connection) throw new Error(`${address} is always refused`);
      const open = connection;
      return { end: open.end, send: (bytes) => bench.send(open, bytes.slice()) };
    },
    async until(condition, what) {
      if (!condition()) throw new Error(`never happened: ${what}`);
    },
    async end() {},
  };
}

/** A speaker on a loopback address and its own port. */
export async function tcpStage(test: HostileCase): Promise<Stage> {
  const speaker = new Speaker(speakerConfig, Math.random);
  const host = new SpeakerHost(speaker, { listen: { address: '127.0.0.1', port: 0 } });
  for (const config of peers(test)) speaker.addPeer(config, host.now());
  await host.start();
  const sockets: net.Socket[] = [];
  const until = async (condition: () => boolean, what: string): Promise<void> => {
    const limit = performance.now() + TIMEOUT_MS;
    while (!condition()) {
      if (performance.now() > limit) throw new Error(`never happened: ${what}`);
      await new Promise((resolve) => setTimeout(resolve, 2));
    }
  };
  const connect = async (address: string): Promise<StageConnection> => {
    for (const limit = performance.now() + TIMEOUT_MS; performance.now() < limit; ) {
      const { socket, end } = dial(address, host.port);
      sockets.push(socket);
      await until(() => end.closed || (end.counts.open ?? 0) > 0, `${address} is accepted or refused`);
      if (!end.closed) return { end, send: (bytes) => socket.write(bytes) };
    }
    throw new Error(`${address} is always refused`);
  };
  return {
    speaker,
    connect,
    until,
    async end() {
      await host.stop('end of the case');
      for (const socket of sockets) socket.destroy();
    },
  };
}

function dial(address: string, port: number): { socket: net.Socket; end: FarEnd } {
  const end = new FarEnd();
  const socket = net.connect({ host: '127.0.0.1', port, localAddress: address, noDelay: true });
  socket.on('data', (chunk) => end.take(chunk));
  // A write to a connection that the speaker has just closed fails; the test checks the close.
  socket.on('error', () => socket.destroy());
  socket.on('close', () => {
    end.closed = true;
  });
  return { socket, end };
}
