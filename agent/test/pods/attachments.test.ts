import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { appendFileSync, readFileSync, writeFileSync } from 'node:fs';
import type { IPAddress } from 'bgp-js/ip';
import { type Ipam, NoAddressError } from '../../ipam/ipam.ts';
import { encodeLine } from '../../ipam/journal-format.ts';
import { type Allocation, ConflictError } from '../../ipam/store.ts';
import { Attachments } from '../../pods/attachments.ts';
import { SerialQueue } from '../../pods/concurrency.ts';
import { CniError, CODE } from '../../pods/errors.ts';
import { hostLinkName } from '../../pods/names.ts';
import type { CniRequest } from '../../pods/request.ts';
import type { WiringTools } from '../../pods/wiring.ts';
import { ip } from '../addresses.ts';
import { eventually, TestNode } from './node.ts';

describe('pods: restart', () => {
  let node: TestNode;
  const host = (pod: number): string => hostLinkName({ containerId: `container-${pod}`, ifname: 'eth0' });
  const addressOf = async (pod: number): Promise<string> => {
    const { json, stdout } = await node.plugin('ADD', pod);
    assert.ok(json.ips, stdout);
    return json.ips[0].address.split('/')[0];
  };

  beforeEach(async () => {
    node = new TestNode();
    await node.start();
    node.addPods(1, 2);
  });

  afterEach(() => node?.remove());

  for (const signal of ['SIGTERM', 'SIGKILL'] as const) {
    it(`${signal} and a restart lose no packet of a pod`, async () => {
      const address = await addressOf(1);
      const parameters = [`--net=/run/netns/${node.name}`, 'ping', '-n', '-D', '-i', '0.002', address];
      const ping = spawn('nsenter', parameters, { stdio: ['ignore', 'pipe', 'inherit'] });
      try {
        let output = '';
        ping.stdout.on('data', (text) => {
          output += text;
        });
        const received = (): number => output.split('icmp_seq=').length - 1;
        await eventually('packets flow', () => received() > 20);
        const ended = await node.end(signal);
        if (signal === 'SIGTERM') assert.equal(ended, 0, node.errors);
        await node.start();
        const start = received();
        await eventually('packets still flow', () => received() > start + 100);
        const closed = new Promise((resolve) => ping.on('close', resolve));
        ping.kill('SIGINT');
        await closed;
        const [, sent, answered] = /(\d+) packets transmitted, (\d+) received/.exec(output)!;
        // The interrupt may come before the answer to the last packet.
        assert.ok(Number(sent) - Number(answered) <= 1, output.slice(-200));
      } finally {
        ping.kill('SIGKILL');
      }
      assert.deepEqual(
        (await node.list()).map((pod) => [pod.address, pod.state]),
        [[address, 'up']],
      );
      assert.doesNotMatch(node.errors, /after restart/);
    });
  }

  it('restores what was removed from the host side meanwhile', async () => {
    const address = await addressOf(1);
    await node.end('SIGKILL');
    node.ip(`neigh del ${address} dev ${host(1)}`);
    node.ip(`route del ${address}`);
    node.exec('sh', '-c', `echo 0 > /proc/sys/net/ipv4/conf/${host(1)}/rp_filter`);
    await node.start();
    assert.deepEqual(
      (await node.list()).map(({ state }) => state),
      ['up'],
    );
    const [{ state }] = await node.ask<{ state: string }[]>('refresh');
    assert.equal(state, 'up');
    assert.equal(node.ping('node', address), 1);
  });

  it('keeps the address of a pod without a namespace until DEL, and reports the fault', async () => {
    const address = await addressOf(1);
    await node.end('SIGKILL');
    node.removePod(1);
    await eventually('the link is gone', () => node.links().length === 0);
    await node.start();
    const [pod] = await node.list();
    assert.equal(pod.address, address);
    assert.match(node.errors, /warn default\/pod-1 after restart: the host's link \S+ is missing;/);
    assert.match(pod.state, /host's link .* is missing; .*\/run\/netns\/.*ENOENT/);
    const gone = await node.plugin('DEL', 1, {}, { CNI_NETNS: '' });
    assert.equal(gone.exitCode, 0, gone.stdout);
    assert.deepEqual(await node.list(), []);
  });

  it('repeats an ADD with the same address after a crash half-way', async () => {
    const address = await addressOf(1);
    const done = readFileSync(node.journal, 'utf8');
    assert.equal((await node.plugin('DEL', 1)).exitCode, 0);
    await node.end('SIGKILL');
    // As after a crash between the commit and the first step,
    writeFileSync(node.journal, done);
    await node.start();
    assert.match((await node.list())[0].state, /is missing/);
    assert.equal(await addressOf(1), address);
    assert.equal(node.ping('node', address), 1);
    // and as after a crash between the steps.
    await node.end('SIGKILL');
    node.podIp(1, 'route del default');
    await node.start();
    assert.match((await node.list())[0].state, /no default route/);
    assert.equal(await addressOf(1), address);
    assert.equal(node.ping('node', address), 1);
    assert.equal((await node.plugin('ADD', 1)).json.code, 101);
  });

  it('removes links without an allocation, but only our own', async () => {
    await addressOf(1);
    await node.end('SIGKILL');
    node.ip('link add fr0123456789abc type veth peer name other0');
    node.ip('link add friend type veth peer name other1');
    await node.start();
    await eventually('the orphan is gone', () => !node.links().includes('fr0123456789abc'));
    assert.deepEqual(node.links().sort(), [host(1), 'friend'].sort());
    assert.match(node.errors, /removed 1 links without a pod: fr0123456789abc/);
  });

  it('warns if the host lets pods send from addresses of others', async () => {
    const filter = (value: number) =>
      node.exec('sh', '-c', `echo ${value} > /proc/sys/net/ipv4/conf/all/rp_filter`);
    for (const [value, warns] of [
      [2, true],
      [1, false],
      [0, false],
    ] as const) {
      await node.end('SIGTERM');
      filter(value);
      await node.start();
      assert.equal(node.errors.includes('rp_filter is 2'), warns, `rp_filter ${value}: ${node.errors}`);
    }
  });

  it('deletes the graveyard of an earlier run', async () => {
    await addressOf(1);
    assert.equal((await node.plugin('DEL', 1)).exitCode, 0);
    await node.end('SIGKILL');
    await node.start();
    await eventually('the graveyard is empty', () => node.links().length === 0);
    await addressOf(1);
  });

  it('starts after a torn record, and keeps pods outside of changed ranges', async () => {
    const address = await addressOf(1);
    await node.end('SIGKILL');
    appendFileSync(node.journal, encodeLine([{ last: [ip(address)] }]).slice(0, 15));
    node.options = { podCIDRs: ['10.244.7.0/28'] };
    await node.start();
    assert.match(node.errors, /dropped an unfinished record of 15 bytes/);
    assert.match(node.errors, new RegExp(`keeps ${address}, which is not in podCIDRs`));
    assert.equal(node.ping('node', address), 1);
    assert.match(await addressOf(2), /^10\.244\.7\./);
    assert.equal((await node.plugin('DEL', 1)).exitCode, 0);
  });

  it('takes over the pods of a journal of the version before, and upgrades it', async () => {
    const addresses = [await addressOf(1), await addressOf(2)];
    await node.end('SIGKILL');
    const lines = readFileSync(node.journal, 'utf8').trimEnd().split('\n');
    const older = lines.map((line) => {
      const json = line.slice(9).replaceAll(/"addresses":\["([^"]+)"\]/g, '"address":"$1"');
      return encodeLine(JSON.parse(json.replace('"version":2', '"version":1')));
    });
    assert.ok(older[0].includes('"version":1') && older[1].includes('"address":"'));
    writeFileSync(node.journal, older.join(''));
    await node.start();
    assert.match(node.errors, /upgraded from format 1 to 2/);
    assert.deepEqual(
      (await node.list()).map((pod) => [pod.address, pod.addresses, pod.state]),
      addresses.map((address) => [address, [address], 'up']),
    );
    for (const address of addresses) assert.equal(node.ping('node', address), 1);
    assert.equal((await node.plugin('DEL', 1)).exitCode, 0);
    assert.match(readFileSync(node.journal, 'utf8'), /"version":2/);
  });
});

describe('pods: attachments that fail', () => {
  const held: Allocation = {
    containerId: 'c1',
    ifname: 'eth0',
    network: 'flatroute',
    netns: '/run/netns/none',
    hostInterface: 'fr0',
    addresses: [ip('10.244.1.7')],
    since: '2026-01-01T00:00:00.000Z',
  };

  /** Attaches with an address management of these methods, on a node where no link exists. */
  async function attach(ipam: Partial<Ipam>): Promise<{ error: CniError; state: string }> {
    const graveyard = {
      gone: async () => {},
      flush: async () => {},
      afterwards: (_name: string, action: () => void) => action(),
    };
    const tools = {
      netlink: { request: () => {} },
      routes: { delete: () => {} },
      kernelQueue: new SerialQueue(),
      graveyard,
    } as unknown as WiringTools;
    const attachments = new Attachments({
      ipam: ipam as Ipam,
      tools,
      nodeAddress: ip('10.0.0.1'),
      mtu: 1500,
      onEvent: (event) => assert.fail(event.kind),
    });
    // Any namespace but the node's own network namespace.
    const request = { containerId: 'c1', ifname: 'eth0', netns: '/proc/self/ns/mnt', network: 'flatroute' };
    try {
      await attachments.attach(request as CniRequest);
    } catch (error) {
      assert.ok(error instanceof CniError, String(error));
      return { error, state: attachments.state(held) };
    }
    throw new Error('attached');
  }
  const codeOf = async (ipam: Partial<Ipam>) => (await attach(ipam)).error.code;
  const failing = (error: Error) => (): Promise<never> => Promise.reject(error);
  const conflict = new ConflictError(ip('10.244.1.7'), 'node n2');

  it('report code 11 if no address is free, and code 5 if the store fails', async () => {
    const empty = { get: () => undefined, hasFree: () => true };
    const none = new NoAddressError('no free address');
    assert.equal(await codeOf({ ...empty, allocate: failing(none) }), CODE.TRY_AGAIN_LATER);
    assert.equal(await codeOf({ ...empty, allocate: failing(new Error('ENOSPC')) }), CODE.IO_FAILURE);
  });

  it('report code 11 if the store has given the address of the container to another owner', async () => {
    const before = { get: () => held };
    assert.equal(await codeOf({ ...before, reassign: failing(conflict) }), CODE.TRY_AGAIN_LATER);
    assert.equal(await codeOf({ ...before, reassign: failing(new Error('ENOSPC')) }), CODE.IO_FAILURE);
  });

  it('keep the address if the release after a failed wiring cannot be stored, and say so', async () => {
    const rested: IPAddress[] = [];
    const ipam = {
      get: () => undefined,
      hasFree: () => true,
      allocate: async () => held,
      release: failing(new Error('ENOSPC')),
      rest: (address: IPAddress) => rested.push(address),
    };
    const { error, state } = await attach(ipam as unknown as Partial<Ipam>);
    assert.equal(error.code, CODE.WIRING_FAILED);
    assert.match(error.message, /cannot create the link fr0: .*ENOENT/);
    assert.equal(error.details, 'the release cannot be stored: ENOSPC');
    assert.equal(state, 'the release cannot be stored: ENOSPC');
    assert.deepEqual(rested, []);
  });

  it('release the address after a failed wiring', async () => {
    const released: Allocation[] = [];
    const quarantined: string[] = [];
    const ipam = {
      get: () => undefined,
      hasFree: () => true,
      allocate: async () => held,
      release: async (allocation: Allocation) => void released.push(allocation),
      startQuarantine: (address: IPAddress) => void quarantined.push(address.toString()),
    };
    const { error, state } = await attach(ipam);
    assert.deepEqual([error.code, error.details], [CODE.WIRING_FAILED, '']);
    assert.deepEqual([released, quarantined], [[held], ['10.244.1.7']]);
    assert.equal(state, 'not inspected yet');
  });
});
