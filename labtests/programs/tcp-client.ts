/**
 * Connects to port 7777 of every address given, and prints one JSON array: for each address both ends of the connection
 * as this side and as the server sees them, or an error.
 */

import { connect } from 'node:net';

interface Ends {
  local?: string;
  remote?: string;
}

function dial(target: string): Promise<{ target: string; client?: Ends; server?: Ends; error?: string }> {
  return new Promise((resolve) => {
    const socket = connect({ host: target, port: 7777, timeout: 5_000 });
    let client: Ends = {};
    let answer = '';
    socket.on('connect', () => {
      client = { local: socket.localAddress, remote: socket.remoteAddress };
    });
    socket.setEncoding('utf8').on('data', (text: string) => {
      answer += text;
    });
    socket.on('timeout', () => socket.destroy(new Error('no answer within 5 s')));
    socket.on('error', (error) => resolve({ target, error: error.message }));
    socket.on('end', () => resolve({ target, client, server: JSON.parse(answer) as Ends }));
  });
}

process.stdout.write(JSON.stringify(await Promise.all(process.argv.slice(2).map(dial))));
