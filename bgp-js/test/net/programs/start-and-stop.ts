/** Starts hosts with sessions in every state and stops them; the process exits if nothing is left open. */
import { Node, RawPeer, until } from '../tcp.ts';

const [A, B, C, D, E] = [1, 2, 3, 4, 5].map((n) => `127.0.0.${n}`);
const [a, b] = [new Node(A), new Node(B)];
await Promise.all([a.host.start(), b.host.start()]);
a.peer(B, { port: b.host.port });
b.peer(A, { port: a.host.port });
// One peer that has connected and sends nothing, one that does not read, and one that cannot be reached.
a.peer(C, { passive: true });
a.peer(D, { passive: true });
a.peer(E, { port: 1 });
const silent = await RawPeer.connect(a, C);
const deaf = await RawPeer.establish(a, D);
deaf.socket.pause();
await until(() => a.status(B).state === 'Established', 'the session between the hosts');
await Promise.all([a.host.stop('the end'), b.host.stop('the end')]);
for (const { socket } of [silent, deaf]) socket.destroy();
console.log('stopped');
