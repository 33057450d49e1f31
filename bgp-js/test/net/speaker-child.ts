/**
 * A speaker on sockets, to be run in a network namespace. Its parameter is JSON: {speaker, host, peers}. It prints what
 * it tells as lines of JSON, and takes lines of JSON: {update: PeerOptions}, {statuses: true}.
 */
import { createInterface } from 'node:readline';
import {
  type PeerOptions,
  peerConfig,
  peerStatuses,
  Speaker,
  type SpeakerEvent,
  type SpeakerOptions,
} from 'bgp-js';
import { type HostOptions, SpeakerHost } from 'bgp-js/net';

/** What the parameter holds. */
export interface ChildOptions {
  speaker: SpeakerOptions;
  host: Pick<HostOptions, 'listen' | 'localAddress'>;
  peers: PeerOptions[];
}

const tell = (line: object): boolean => process.stdout.write(`${JSON.stringify(line)}\n`);

const options = JSON.parse(process.argv[2]) as ChildOptions;
const speaker = new Speaker(options.speaker, Math.random);
const host = new SpeakerHost(speaker, { ...options.host, onEvent: (event: SpeakerEvent) => tell(event) });
for (const peer of options.peers) speaker.addPeer(peerConfig(peer), host.now());
await host.start();
tell({ type: 'ready', port: host.port });

const commands = createInterface({ input: process.stdin });
commands.on('line', (line) => {
  const command = JSON.parse(line) as { update?: PeerOptions; statuses?: true };
  if (command.update) speaker.updatePeer(peerConfig(command.update), host.now());
  if (command.statuses) tell({ type: 'statuses', peers: peerStatuses(speaker, host.now()) });
  host.wake();
});
commands.on('close', () => {
  void host.stop('test over').then(() => process.exit(0));
});
