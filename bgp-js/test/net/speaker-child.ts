/**
 * A speaker on sockets, run in a network namespace. Its argument is JSON: {speaker, host, peers}. It prints events as
 * lines of JSON, and reads commands as lines of JSON: {update: PeerOptions}, {statuses: true}.
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

/** The argument. */
export interface ChildOptions {
  speaker: SpeakerOptions;
  host: Pick<HostOptions, 'listen' | 'localAddress'>;
  peers: PeerOptions[];
}

const print = (line: object): boolean => process.stdout.write(`${JSON.stringify(line)}\n`);

const options = JSON.parse(process.argv[2]) as ChildOptions;
const speaker = new Speaker(options.speaker, Math.random);
const host = new SpeakerHost(speaker, { ...options.host, onEvent: (event: SpeakerEvent) => print(event) });
for (const peer of options.peers) speaker.addPeer(peerConfig(peer), host.now());
await host.start();
print({ type: 'ready', port: host.port });

const commands = createInterface({ input: process.stdin });
commands.on('line', (line) => {
  const command = JSON.parse(line) as { update?: PeerOptions; statuses?: true };
  if (command.update) speaker.updatePeer(peerConfig(command.update), host.now());
  if (command.statuses) print({ type: 'statuses', peers: peerStatuses(speaker, host.now()) });
  host.wake();
});
commands.on('close', () => {
  void host.stop('test over').then(() => process.exit(0));
});
