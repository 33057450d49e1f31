/**
 * Answers every TCP connection on port 7777 with one line of JSON: both ends as this side sees them. Prints `listening`
 * when it accepts connections.
 */

import { createServer } from 'node:net';

const server = createServer((socket) => {
  socket.on('error', () => socket.destroy());
  socket.end(`${JSON.stringify({ local: socket.localAddress, remote: socket.remoteAddress })}\n`);
});
server.listen({ host: '0.0.0.0', port: 7777 }, () => process.stdout.write('listening\n'));
