import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { eventually, type PluginRun, run, TestNode } from './node.ts';

const VERSIONS = ['0.3.1', '0.4.0', '1.0.0', '1.1.0'];

describe('pods: CNI commands', () => {
  let node: TestNode;

  const fails = (result: PluginRun, code: number, message: RegExp): void => {
    assert.equal(result.json.code, code, result.stdout);
    assert.equal(result.exitCode, 1);
    assert.match(`${result.json.msg} ${result.json.details ?? ''}`, message);
  };

  before(async () => {
    node = new TestNode({ podCIDRs: ['10.244.1.0/29'] });
    await node.start();
    node.addPods(1, 2, 3, 4, 5, 6, 7, 8, 9);
  });

  after(() => node?.remove());

  afterEach(async () => {
    for (const { containerId, ifname } of await node.list()) {
      await node.plugin('DEL', 0, {}, { CNI_CONTAINERID: containerId, CNI_IFNAME: ifname, CNI_NETNS: '' });
    }
    assert.deepEqual(await node.list(), []);
  });

  for (const cniVersion of VERSIONS) {
    it(`speaks ${cniVersion}: ADD, CHECK, DEL in the shape of that version`, async () => {
      const dns = { nameservers: ['10.0.0.53'] };
      const added = await node.plugin('ADD', 1, { cniVersion, dns, runtimeConfig: { x: 1 }, unknown: [] });
      assert.equal(added.exitCode, 0, added.stdout);
      const { json } = added;
      assert.equal(json.cniVersion, cniVersion);
      assert.equal(json.ips![0].version, cniVersion < '1.0.0' ? '4' : undefined);
      assert.equal(json.interfaces![1].mtu, cniVersion === '1.1.0' ? 1500 : undefined);
      assert.equal(json.interfaces![json.ips![0].interface].sandbox, node.netns(1));
      assert.deepEqual(json.dns, dns);
      const check = await node.plugin('CHECK', 1, { cniVersion, prevResult: json });
      if (cniVersion === '0.3.1') fails(check, 1, /CHECK needs cniVersion 0\.4\.0/);
      else assert.equal(check.exitCode, 0, check.stdout);
      const removed = await node.plugin('DEL', 1, { cniVersion, prevResult: json });
      assert.deepEqual([removed.exitCode, removed.stdout], [0, '']);
    });
  }

  it('answers VERSION with any other variables, as podman sends them', async () => {
    const environment = { CNI_IFNAME: 'dummy', CNI_NETNS: 'dummy', CNI_CONTAINERID: 'dummy' };
    for (const cniVersion of [...VERSIONS, '9.0.0']) {
      const { exitCode, json } = await node.plugin('VERSION', 0, { cniVersion }, environment);
      assert.deepEqual([exitCode, json], [0, { cniVersion, supportedVersions: VERSIONS }]);
    }
  });

  it('keeps the results of earlier plugins of the chain', async () => {
    const prevResult = {
      cniVersion: '1.0.0',
      interfaces: [{ name: 'net0', sandbox: node.netns(1) }],
      ips: [{ address: '192.0.2.5/24', interface: 0 }],
      routes: [{ dst: '192.0.2.0/24' }],
      dns: { domain: 'x' },
    };
    const { json } = await node.plugin('ADD', 1, { prevResult });
    assert.deepEqual(json.interfaces!.map(({ name }) => name).slice(0, 1), ['net0']);
    assert.equal(json.ips![0].address, '192.0.2.5/24');
    assert.equal(json.interfaces![json.ips![1].interface].name, 'eth0');
    assert.deepEqual(
      json.routes!.map(({ dst }) => dst),
      ['192.0.2.0/24', '0.0.0.0/0'],
    );
    assert.deepEqual(json.dns, { domain: 'x' });
  });

  it('1: refuses unsupported versions, in the requested version', async () => {
    const result = await node.plugin('ADD', 1, { cniVersion: '2.0.0' });
    fails(result, 1, /"2\.0\.0" is not supported; supported versions are 0\.3\.1, 0\.4\.0/);
    assert.equal(result.json.cniVersion, '2.0.0');
    fails(await node.plugin('ADD', 1, { cniVersion: undefined }), 1, /cniVersion is missing/);
    fails(await node.plugin('STATUS', 1), 1, /STATUS needs cniVersion 1\.1\.0/);
    fails(await node.plugin('GC', 1), 1, /GC needs cniVersion 1\.1\.0/);
  });

  it('2: refuses another ipam plugin', async () => {
    fails(await node.plugin('ADD', 1, { ipam: { type: 'host-local' } }), 2, /ipam\.type "host-local"/);
    const tolerated = await node.plugin('ADD', 1, { ipam: {} });
    assert.equal(tolerated.exitCode, 0, tolerated.stdout);
  });

  it('3: refuses CHECK of an unknown container', async () => {
    fails(await node.plugin('CHECK', 1, { prevResult: {} }), 3, /container-1\/eth0/);
  });

  it('4: names missing and malformed variables', async () => {
    const empty = { CNI_CONTAINERID: '', CNI_NETNS: '', CNI_IFNAME: '' };
    fails(await node.plugin('ADD', 1, {}, empty), 4, /ADD requires CNI_CONTAINERID, CNI_NETNS, CNI_IFNAME/);
    fails(
      await node.plugin('CHECK', 1, {}, empty),
      4,
      /CHECK requires CNI_CONTAINERID, CNI_NETNS, CNI_IFNAME/,
    );
    fails(await node.plugin('DEL', 1, {}, empty), 4, /DEL requires CNI_CONTAINERID, CNI_IFNAME in/);
    fails(await node.plugin('', 1), 4, /CNI_COMMAND is missing/);
    fails(await node.plugin('FROB', 1), 4, /"FROB" is unknown/);
    fails(await node.plugin('toString', 1), 4, /unknown/);
    const malformed = { CNI_CONTAINERID: '../x', CNI_IFNAME: 'eth0/../../x', CNI_NETNS: 'relative' };
    fails(
      await node.plugin('ADD', 1, {}, malformed),
      4,
      /CNI_CONTAINERID must .*CNI_IFNAME must .*CNI_NETNS must/,
    );
    fails(await node.plugin('DEL', 1, {}, { CNI_CONTAINERID: '-x' }), 4, /CNI_CONTAINERID must/);
    fails(await node.plugin('ADD', 1, {}, { CNI_NETNS: '/run/netns/none-such' }), 4, /ENOENT/);
    fails(await node.plugin('ADD', 1, {}, { CNI_NETNS: '/etc/passwd' }), 4, /not a namespace/);
    fails(await node.plugin('ADD', 1, {}, { CNI_NETNS: '/proc/self/ns/mnt' }), 102, /EINVAL/);
    fails(await node.plugin('ADD', 1, {}, { CNI_NETNS: `/run/netns/${node.name}` }), 4, /node's own/);
    assert.deepEqual(await node.list(), []);
  });

  it('5: allocates no address that it cannot store', async () => {
    // A full file system under the journal.
    const full = new TestNode();
    try {
      run('mkdir', full.stateDir);
      run('mount', '-t', 'tmpfs', '-o', 'size=64k', 'tmpfs', full.stateDir);
      await full.start();
      full.addPods(1, 2);
      assert.equal((await full.plugin('ADD', 1)).exitCode, 0);
      spawnSync('dd', ['if=/dev/zero', `of=${full.stateDir}/filler`, 'bs=1k', 'count=100'], {
        stdio: 'ignore',
      });
      const padding = Array.from({ length: 5 }, (_, n) => `K${n}=`).join(';');
      const results: PluginRun[] = [];
      for (let n = 0; n < 30; n++) {
        results.push(await full.plugin('ADD', 2, {}, { CNI_ARGS: padding }));
        if (results.at(-1)!.exitCode !== 0) break;
        await full.plugin('DEL', 2);
      }
      fails(results.at(-1)!, 5, /cannot be stored.*allocations\.journal.*ENOSPC/s);
      const failedDel = await full.plugin('DEL', 1);
      fails(failedDel, 5, /release cannot be stored/);
      assert.deepEqual(
        (await full.list()).map(({ containerId }) => containerId),
        ['container-1'],
      );
      run('rm', `${full.stateDir}/filler`);
      assert.equal((await full.plugin('ADD', 2)).exitCode, 0);
      assert.equal((await full.plugin('DEL', 1)).exitCode, 0);
      await full.end('SIGKILL');
      await full.start();
      assert.deepEqual(
        (await full.list()).map(({ containerId }) => containerId),
        ['container-2'],
      );
    } finally {
      await full.end('SIGKILL');
      spawnSync('umount', [full.stateDir]);
      await full.remove();
    }
  });

  it('6 and 7: names the fault of the configuration', async () => {
    const raw = (stdin: string, command = 'ADD') => node.pluginRaw(command, 1, stdin);
    fails(await raw('{'), 6, /not JSON/);
    fails(await raw(''), 6, /not JSON/);
    fails(await raw('[]'), 6, /not a JSON object/);
    fails(await raw('null'), 6, /not a JSON object/);
    fails(await node.plugin('ADD', 1, { name: undefined }), 7, /"name" must match/);
    fails(await node.plugin('ADD', 1, { name: 'a b' }), 7, /"name" must match/);
    fails(await node.plugin('ADD', 1, { prevResult: 'x' }), 7, /prevResult is not an object/);
    fails(await node.plugin('ADD', 1, { prevResult: { ips: [1] } }), 7, /prevResult\.ips/);
    fails(await node.plugin('CHECK', 1), 7, /prevResult/);
  });

  it('11 and 50: reports that no address is left, and recovers once one is released', async () => {
    const config = { cniVersion: '1.1.0' };
    const status = await node.plugin('STATUS', 0, config, {
      CNI_CONTAINERID: '',
      CNI_IFNAME: '',
      CNI_NETNS: '',
    });
    assert.deepEqual([status.exitCode, status.stdout], [0, '']);
    const results = await Promise.all([1, 2, 3, 4, 5, 6, 7, 8].map((pod) => node.plugin('ADD', pod)));
    assert.ok(
      results.every(({ exitCode }) => exitCode === 0),
      results.map(({ stdout }) => stdout).join(),
    );
    assert.equal(new Set(results.map(({ json }) => json.ips![0].address)).size, 8);
    fails(await node.plugin('ADD', 9), 11, /10\.244\.1\.0\/29: 8 of 8 used/);
    fails(await node.plugin('STATUS', 0, config), 50, /no free address/);
    assert.equal((await node.plugin('DEL', 3)).exitCode, 0);
    // At once: without a quarantine, ADD only waits for the deletion of the old link.
    const next = await node.plugin('ADD', 9);
    assert.equal(next.exitCode, 0, next.stdout);
    assert.equal(next.json.ips![0].address, results[2].json.ips![0].address);
  });

  it('101: refuses an existing interface, and does not touch it', async () => {
    const added = await node.plugin('ADD', 1);
    const attached = /eth0 of default\/pod-1 is attached already, with 10\.244\.1\./;
    fails(await node.plugin('ADD', 1), 101, attached);
    // Also if a part of it was changed and none is missing.
    node.podIp(1, 'link set eth0 mtu 1400');
    node.exec('sh', '-c', `echo 0 > /proc/sys/net/ipv4/conf/${added.json.interfaces![0].name}/rp_filter`);
    fails(await node.plugin('ADD', 1), 101, attached);
    assert.equal(node.ping('node', added.json.ips![0].address.split('/')[0]), 1);
    node.podIp(2, 'link add eth0 type veth peer name other');
    fails(await node.plugin('ADD', 2), 101, /eth0 exists already in \/run\/netns/);
    assert.match(node.podIp(2, 'link show'), /eth0/);
    node.podIp(2, 'link del eth0');
    assert.equal((await node.list()).length, 1);
  });

  it('102: undoes everything if the kernel refuses a step', async () => {
    node.addPods(10);
    node.podIp(10, 'link add x0 type veth peer name x1');
    node.podIp(10, 'link set x0 up');
    node.podIp(10, 'link set x1 up');
    node.podIp(10, 'route add default dev x0');
    fails(await node.plugin('ADD', 10), 102, /cannot configure eth0 .*0\.0\.0\.0\/0/);
    await eventually('no link is left', () => node.links().length === 0);
    assert.ok(!node.podIp(10, 'link show').includes('eth0'));
    assert.deepEqual(
      (await node.ranges()).map(({ used }) => used),
      [0],
    );
    assert.ok(!readFileSync(node.journal, 'utf8').trimEnd().split('\n').at(-1)!.includes('"add"'));
    node.podIp(10, 'link del x0');
    assert.equal((await node.plugin('ADD', 10)).exitCode, 0);
  });

  it('GC removes the unlisted attachments of its own network', async () => {
    for (const pod of [1, 2]) assert.equal((await node.plugin('ADD', pod)).exitCode, 0);
    assert.equal((await node.plugin('ADD', 3, { name: 'other' })).exitCode, 0);
    const none = { CNI_CONTAINERID: '', CNI_IFNAME: '', CNI_NETNS: '' };
    fails(await node.plugin('GC', 0, { cniVersion: '1.1.0' }, none), 7, /valid-attachments/);
    const broken = { cniVersion: '1.1.0', 'cni.dev/valid-attachments': [{ containerID: 'container-2' }] };
    fails(await node.plugin('GC', 0, broken, none), 7, /lacks containerID or ifname/);
    assert.equal((await node.list()).length, 3);
    const valid = [{ containerID: 'container-2', ifname: 'eth0' }];
    const result = await node.plugin(
      'GC',
      0,
      { cniVersion: '1.1.0', 'cni.dev/valid-attachments': valid },
      none,
    );
    assert.deepEqual([result.exitCode, result.stdout], [0, '']);
    assert.deepEqual(
      (await node.list()).map(({ name }) => name),
      ['default/pod-2', 'default/pod-3'],
    );
  });

  it('changes the ranges at run time, but not those of running pods', async () => {
    const added = await node.plugin('ADD', 1);
    const address = added.json.ips![0].address.split('/')[0];
    await assert.rejects(node.ask('setRanges 10.244.9.0/30'), new RegExp(`default/pod-1 \\(${address}\\)`));
    await node.ask('setRanges 10.244.1.0/29 10.244.9.0/30');
    assert.deepEqual(
      (await node.ranges()).map(({ range, used }) => [range, used]),
      [
        ['10.244.1.0/29', 1],
        ['10.244.9.0/30', 0],
      ],
    );
    assert.equal((await node.plugin('DEL', 1)).exitCode, 0);
    await node.ask('setRanges 10.244.9.0/30');
    const moved = await node.plugin('ADD', 1);
    assert.match(moved.json.ips![0].address, /^10\.244\.9\./);
    assert.equal((await node.plugin('DEL', 1)).exitCode, 0);
    await node.ask('setRanges 10.244.1.0/29');
  });

  it('refuses a second agent on the same socket or journal, and a damaged journal', async () => {
    const second = new TestNode();
    try {
      second.options = { stateDir: node.stateDir };
      await assert.rejects(second.start(), /in use by another agent/);
      second.options = { cniSocket: node.socket };
      await assert.rejects(second.start(), /belongs to a running process/);
      second.options = {};
      await second.start();
      second.addPods(1);
      assert.equal((await second.plugin('ADD', 1)).exitCode, 0);
      await second.plugin('DEL', 1);
      assert.equal(await second.end('SIGTERM'), 0, second.errors);
      const bytes = readFileSync(second.journal);
      bytes[100] ^= 1;
      writeFileSync(second.journal, bytes);
      await assert.rejects(second.start(), /allocations\.journal: at byte \d+: .*not used/s);
    } finally {
      await second.remove();
    }
  });
});
