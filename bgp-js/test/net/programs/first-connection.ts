/** Prints the size of the table of descriptors before and after a host accepts its first connection. */
import { readFileSync } from 'node:fs';
import { Node, RawPeer, until } from '../tcp.ts';

const size = () => Number(/FDSize:\s+(\d+)/.exec(readFileSync('/proc/self/status', 'utf8'))?.[1]);
const node = new Node('127.0.0.1', { reserveDescriptors: process.argv[2] === 'reserve' });
await node.host.start();
const before = size();
const { socket } = await RawPeer.connect(node, '127.0.0.2');
await until(() => node.countOf('refused') > 0, 'the connection is accepted');
console.log(before, size());
socket.destroy();
await node.host.stop('the test is over');
