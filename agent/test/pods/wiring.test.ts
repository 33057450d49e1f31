import assert from 'node:assert/strict';
import { readFileSync, statSync } from 'node:fs';
import { hostLinkName } from '../../pods/names.ts';
import { runSteps, type Step, TransactionError } from '../../pods/wiring.ts';
import { eventually, NODE_ADDRESS, TestNode } from './node.ts';

const MTU = 1500;

describe('pods: wiring', () => {
  let node: TestNode;
  const host = (pod: number): string => hostLinkName({ containerId: `container-${pod}`, ifname: 'eth0' });

  before(async () => {
    node = new TestNode();
    await node.start();
  });

  after(() => node?.remove());

  it('configures address, routes and neighbour of the pod, and the host route of the node', async () => {
    node.addPods(1, 2);
    const [first, second] = await Promise.all([node.plugin('ADD', 1), node.plugin('ADD', 2)]);
    assert.deepEqual([first.exitCode, second.exitCode], [0, 0], first.stdout + second.stdout + node.errors);
    const address = first.json.ips![0].address;
    assert.match(address, /^10\.244\.1\.\d+\/32$/);
    assert.deepEqual(first.json, {
      cniVersion: '1.0.0',
      interfaces: [
        { name: host(1), mac: first.json.interfaces![0].mac },
        { name: 'eth0', mac: first.json.interfaces![1].mac, sandbox: node.netns(1) },
      ],
      ips: [{ address, gateway: '169.254.1.1', interface: 1 }],
      routes: [{ dst: '0.0.0.0/0', gw: '169.254.1.1' }],
      dns: {},
    });
    assert.ok(node.podIp(1, '-4 addr show dev eth0').includes(`inet ${address} `));
    assert.match(node.podIp(1, 'link show lo'), /[<,]UP[,>]/);
    assert.equal(node.podIp(1, 'route').trim().split('\n')[0].trim(), 'default via 169.254.1.1 dev eth0');
    const [hostMac, podMac] = first.json.interfaces!.map(({ mac }) => mac);
    assert.match(
      node.podIp(1, 'neigh show dev eth0'),
      new RegExp(`169\\.254\\.1\\.1 lladdr ${hostMac} PERMANENT`),
    );
    const bare = address.split('/')[0];
    assert.match(node.ip(`neigh show dev ${host(1)}`), new RegExp(`${bare} lladdr ${podMac} PERMANENT`));
    assert.match(node.ip('route'), new RegExp(`^${bare} dev ${host(1)} proto 179 scope link`, 'm'));
    assert.ok(node.ip(`link show ${host(1)}`).includes(`mtu ${MTU}`));
    assert.deepEqual((await node.list()).map(({ state, name }) => [state, name]).sort(), [
      ['up', 'default/pod-1'],
      ['up', 'default/pod-2'],
    ]);
  });

  it('delivers the first packet between pods and with the node, in both directions', async () => {
    const [first, second] = (await node.list()).map(({ name, address }) => ({
      pod: Number(name.slice(-1)),
      address,
    }));
    assert.equal(node.ping('node', first.address), 1);
    assert.equal(node.ping(first.pod, second.address), 1);
    assert.equal(node.ping(second.pod, NODE_ADDRESS), 1);
  });

  it('drops packets from addresses that the pod does not have', async () => {
    const filtered = (): number => {
      const [names, values] = node
        .exec('cat', '/proc/net/netstat')
        .split('\n')
        .map((line) => line.split(' '));
      return Number(values[names.indexOf('IPReversePathFilter')]);
    };
    const [pod] = await node.list();
    const number = Number(pod.name.slice(-1));
    node.podIp(number, 'addr add 10.244.1.60/32 dev eth0');
    node.podIp(number, `route change default via 169.254.1.1 dev eth0 src 10.244.1.60`);
    // The filter's own counter, because an answer can be missing for other reasons.
    const before = filtered();
    assert.equal(node.ping(number, NODE_ADDRESS), 0);
    assert.equal(filtered(), before + 1);
    node.podIp(number, `route change default via 169.254.1.1 dev eth0 src ${pod.address}`);
    assert.equal(node.ping(number, NODE_ADDRESS), 1);
    node.podIp(number, 'addr del 10.244.1.60/32 dev eth0');
  });

  it('accepts no router advertisements from a pod', async () => {
    const [pod] = await node.list();
    const path = `/proc/sys/net/ipv6/conf/${pod.hostInterface}/accept_ra`;
    assert.equal(node.exec('sh', '-c', `test ! -e ${path} || cat ${path}`).trim() || '0', '0');
  });

  it('lets only root open the socket and the journal', () => {
    assert.equal(statSync(node.socket).mode & 0o777, 0o600);
    assert.equal(statSync(node.journal).mode & 0o777, 0o600);
    assert.equal(statSync(node.stateDir).mode & 0o777, 0o700);
  });

  it('passes CHECK after ADD, and names every missing part', async () => {
    const repeat = await node.plugin('DEL', 1);
    assert.equal(repeat.exitCode, 0);
    const added = await node.plugin('ADD', 1, { cniVersion: '1.1.0' });
    assert.equal(added.exitCode, 0, added.stdout);
    const prevResult = added.json;
    const address = prevResult.ips![0].address.split('/')[0];
    const check = () => node.plugin('CHECK', 1, { cniVersion: '1.1.0', prevResult });
    const fine = await check();
    assert.deepEqual([fine.exitCode, fine.stdout], [0, '']);
    const hostMac = prevResult.interfaces![0].mac;
    const damages: { damage: () => void; repair: () => void; says: RegExp }[] = [
      {
        damage: () => node.ip(`neigh del ${address} dev ${host(1)}`),
        repair: () => node.ip(`neigh add ${address} dev ${host(1)} lladdr ${prevResult.interfaces![1].mac}`),
        says: /no permanent neighbour entry for 10\.244/,
      },
      {
        damage: () =>
          node.ip(`neigh change ${address} dev ${host(1)} lladdr 02:00:00:00:00:08 nud permanent`),
        repair: () =>
          node.ip(
            `neigh change ${address} dev ${host(1)} lladdr ${prevResult.interfaces![1].mac} nud permanent`,
          ),
        says: /has 02:00:00:00:00:08 as neighbour 10\.244\.1\.\d+, but the pod has /,
      },
      {
        damage: () => node.podIp(1, 'neigh del 169.254.1.1 dev eth0'),
        repair: () => node.podIp(1, `neigh add 169.254.1.1 dev eth0 lladdr ${hostMac}`),
        says: /no permanent neighbour entry for 169\.254\.1\.1/,
      },
      {
        damage: () => node.podIp(1, 'route del default'),
        repair: () => node.podIp(1, 'route add default via 169.254.1.1 dev eth0'),
        says: /no default route/,
      },
      {
        damage: () => node.podIp(1, 'link set eth0 mtu 1400'),
        repair: () => node.podIp(1, 'link set eth0 mtu 1500'),
        says: /MTU 1400 instead of 1500/,
      },
      {
        damage: () => node.podIp(1, 'link set eth0 address 02:00:00:00:00:09'),
        repair: () => {
          node.podIp(1, `link set eth0 address ${prevResult.interfaces![1].mac}`);
          // The kernel deletes neighbour entries when the MAC changes.
          node.podIp(1, `neigh add 169.254.1.1 dev eth0 lladdr ${hostMac}`);
        },
        says: /MAC 02:00:00:00:00:09 instead of/,
      },
      {
        damage: () => node.exec('sh', '-c', `echo 0 > /proc/sys/net/ipv4/conf/${host(1)}/rp_filter`),
        repair: () => node.exec('sh', '-c', `echo 1 > /proc/sys/net/ipv4/conf/${host(1)}/rp_filter`),
        says: /rp_filter of fr[0-9a-f]{13} is off/,
      },
    ];
    for (const { damage, repair, says } of damages) {
      damage();
      const failed = await check();
      assert.equal(failed.json.code, 103, `${says}: ${failed.stdout}`);
      assert.match(failed.json.details!, says);
      repair();
      assert.equal((await check()).exitCode, 0, `after ${says}`);
    }
    node.podIp(1, `addr del ${address}/32 dev eth0`);
    assert.match((await check()).json.details!, /eth0 does not have the address/);
    node.podIp(1, 'link set eth0 down');
    assert.match((await check()).json.details!, /eth0 is down; .*no route to 169\.254\.1\.1/);
    assert.match((await node.list()).find(({ name }) => name === 'default/pod-1')!.state, /eth0 is down/);
    const foreign = { ...prevResult, ips: [{ ...prevResult.ips![0], address: '10.9.9.9/32' }] };
    const listed = await node.plugin('CHECK', 1, { cniVersion: '1.1.0', prevResult: foreign });
    assert.match(listed.json.details!, /does not list the allocated address/);
    node.podIp(1, 'link del eth0');
    const gone = await check();
    assert.match(gone.json.details!, /host's link fr[0-9a-f]{13} is missing/);
    assert.equal((await node.plugin('DEL', 1)).exitCode, 0);
  });

  it('accepts a MAC that a later plugin of the chain changed, by prevResult', async () => {
    const { json: prevResult } = await node.plugin('ADD', 1);
    const mac = '02:00:00:00:00:77';
    node.podIp(1, `link set eth0 address ${mac}`);
    node.podIp(1, `neigh add 169.254.1.1 dev eth0 lladdr ${prevResult.interfaces![0].mac}`);
    node.ip(
      `neigh change ${prevResult.ips![0].address.split('/')[0]} dev ${host(1)} lladdr ${mac} nud permanent`,
    );
    prevResult.interfaces![1].mac = mac;
    const fine = await node.plugin('CHECK', 1, { prevResult });
    assert.equal(fine.exitCode, 0, fine.stdout);
    assert.equal((await node.plugin('DEL', 1)).exitCode, 0);
  });

  it('detaches at once; repeats succeed, also without a namespace or a result', async () => {
    const [pod] = await node.list();
    assert.equal(pod.name, 'default/pod-2');
    assert.equal((await node.plugin('DEL', 2)).exitCode, 0);
    assert.equal(node.ip('route').includes(host(2)), false);
    const up = JSON.parse(node.ip('-json link show up')) as { ifname?: string }[];
    assert.ok(!up.some(({ ifname }) => ifname === host(2)), 'the link is still up');
    assert.equal(node.ping('node', pod.address), 0);
    assert.deepEqual(await node.list(), []);
    const again = await node.plugin('DEL', 2, {}, { CNI_NETNS: '' });
    assert.deepEqual([again.exitCode, again.stdout], [0, '']);
    assert.equal((await node.plugin('DEL', 4711, {}, { CNI_NETNS: '', CNI_ARGS: '' })).exitCode, 0);
    await eventually('links are deleted', () => node.links().length === 0);
    assert.equal((await node.plugin('ADD', 2)).exitCode, 0);
    node.removePod(2);
    const gone = await node.plugin('DEL', 2, {}, { CNI_NETNS: '' });
    assert.equal(gone.exitCode, 0, gone.stdout);
    await eventually('nothing is used', async () => (await node.ranges()).every(({ used }) => used === 0));
  });

  it('attaches a container again after DEL, with another address each time', async () => {
    node.addPods(3);
    const addresses = new Set<string>();
    for (let round = 0; round < 5; round++) {
      const added = await node.plugin('ADD', 3);
      assert.equal(added.exitCode, 0, added.stdout);
      addresses.add(added.json.ips![0].address);
      assert.equal((await node.plugin('DEL', 3)).exitCode, 0);
    }
    assert.equal(addresses.size, 5);
    assert.ok(readFileSync(node.journal, 'utf8').includes('default'));
  });
});

describe('pods: transaction of the wiring', () => {
  const trace: string[] = [];
  const step = (name: string, fails = false, undoFails = false): Step => ({
    name,
    run: () => {
      trace.push(`do ${name}`);
      if (fails) throw new Error(`${name} does not work`);
    },
    undo: async () => {
      trace.push(`undo ${name}`);
      if (undoFails) throw new Error(`${name} stays`);
    },
  });

  beforeEach(() => {
    trace.length = 0;
  });

  it('runs the steps in order and undoes nothing if all succeed', async () => {
    await runSteps([step('a'), { name: 'b', run: async () => void trace.push('do b') }, step('c')]);
    assert.deepEqual(trace, ['do a', 'do b', 'do c']);
  });

  it('undoes from the failed step on in reverse, continues after a failed undo, and reports it', async () => {
    await assert.rejects(
      runSteps([step('a'), step('b', false, true), step('c', true), step('d')]),
      (error: unknown) => {
        assert.ok(error instanceof TransactionError);
        assert.equal(error.name, 'TransactionError');
        assert.equal((error.cause as Error).message, 'c does not work');
        assert.equal(error.message, 'cannot c: c does not work');
        assert.deepEqual(error.leftovers, ['undo "b": b stays']);
        return true;
      },
    );
    assert.deepEqual(trace, ['do a', 'do b', 'do c', 'undo c', 'undo b', 'undo a']);
  });
});
