import assert from 'node:assert/strict';
import { hostLinkName, linkMacs } from '../../pods/names.ts';

describe('pods: names', () => {
  it('are equal for equal attachments, valid, and different for different ones', () => {
    const names = new Set<string>();
    const macs = new Set<string>();
    for (let n = 0; n < 1000; n++) {
      const owner = { containerId: `c${n}`, ifname: 'eth0' };
      const { host, pod } = linkMacs(owner);
      assert.match(hostLinkName(owner), /^fr[0-9a-f]{13}$/);
      // Unicast and locally administered.
      for (const mac of [host, pod]) assert.match(mac, /^[0-9a-f][26ae](:[0-9a-f]{2}){5}$/);
      names.add(hostLinkName(owner));
      macs.add(host).add(pod);
    }
    assert.deepEqual([names.size, macs.size], [1000, 2000]);
    assert.equal(
      hostLinkName({ containerId: 'c1', ifname: 'eth0' }),
      hostLinkName({ containerId: 'c1', ifname: 'eth0' }),
    );
    assert.notEqual(
      hostLinkName({ containerId: 'c1', ifname: 'eth0' }),
      hostLinkName({ containerId: 'c1', ifname: 'eth1' }),
    );
  });
});
