/** Captures of TCP port 179 in a namespace, and their decoding by tshark and scapy. */

import { type ChildProcess, spawn } from 'node:child_process';
import { join } from 'node:path';
import { inNetns, labEnvironment, must } from '../lab/processes.ts';

export interface Capture {
  /** Ends the capture; resolves with the file, which is then complete. */
  end(): Promise<string>;
}

/** Starts tcpdump on `eth0`; resolves when it captures. */
export async function startCapture(lab: string, netns: string, file: string): Promise<Capture> {
  const command = ['tcpdump', '-i', 'eth0', '-n', '-p', '-U', '-Z', 'root', '--immediate-mode', '-w', file];
  const [program, ...args] = inNetns(netns, [...command, 'tcp', 'port', '179']);
  const child = spawn(program, args, {
    env: labEnvironment(lab),
    detached: true,
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  const ended = new Promise<void>((resolve) => child.on('close', () => resolve()));
  await listening(child);
  return {
    end: async () => {
      child.kill('SIGINT');
      await ended;
      return file;
    },
  };
}

function listening(child: ChildProcess): Promise<void> {
  return new Promise((resolve, reject) => {
    let output = '';
    child.stderr!.setEncoding('utf8').on('data', (text: string) => {
      output += text;
      if (output.includes('listening on')) resolve();
    });
    child.on('error', (error) => reject(new Error(`tcpdump cannot be run: ${error.message}`)));
    child.on('close', () => reject(new Error(`tcpdump ended: ${output.trim()}`)));
  });
}

/** Fields of the packets in a file that pass a display filter, one list for each packet. */
export async function tsharkFields(
  lab: string,
  file: string,
  filter: string,
  fields: string[],
): Promise<string[][]> {
  const command = ['tshark', '-n', '-r', file, '-Y', filter, '-T', 'fields', '-E', 'separator=/t'];
  const text = await must(lab, [...command, ...fields.flatMap((field) => ['-e', field])], {
    timeoutMs: 120_000,
  });
  return text
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => line.split('\t'));
}

/** Messages of each sender as scapy decodes them. */
interface ScapyView {
  [sender: string]: {
    messages: number;
    updates: number;
    /** Octets of the longest message. */
    longest: number;
    routes: [prefix: string, nextHop: string | null][];
  };
}

/** Decodes the messages of some senders in a capture with scapy. */
export async function readByScapy(file: string, senders: string[]): Promise<ScapyView> {
  const script = join(import.meta.dirname, 'decode.py');
  const command = ['/usr/bin/python3', script, file, ...senders];
  return JSON.parse(await must('verify', command, { timeoutMs: 120_000 })) as ScapyView;
}
