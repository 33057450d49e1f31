import assert from 'node:assert/strict';
import type { Allocation } from '../../ipam/store.ts';
import { attachmentOf, describePodEvent, type PodEvent } from '../../pods/events.ts';
import { ip } from '../addresses.ts';

const allocation: Allocation = {
  containerId: 'c1',
  ifname: 'eth0',
  network: 'flatroute',
  pod: { namespace: 'shop', name: 'cart-0', uid: 'u1' },
  netns: '/run/netns/p1',
  hostInterface: 'fr0123456789abc',
  addresses: [ip('10.244.1.7'), ip('fd00::7')],
  since: '2026-01-01T00:00:00.000Z',
};

describe('pods: events', () => {
  it('carry the pod, its addresses and both interfaces as values', () => {
    const event: PodEvent = { kind: 'attached', ...attachmentOf(allocation) };
    assert.deepEqual(event, {
      kind: 'attached',
      pod: {
        name: 'shop/cart-0',
        kubernetes: { namespace: 'shop', name: 'cart-0', uid: 'u1' },
        containerId: 'c1',
      },
      addresses: allocation.addresses,
      interfaces: { host: 'fr0123456789abc', pod: 'eth0', netns: '/run/netns/p1' },
    });
    const { pod: _, ...unnamed } = allocation;
    assert.deepEqual(attachmentOf(unnamed).pod, { name: 'c1', containerId: 'c1' });
  });

  it('become lines of the log', () => {
    const attachment = attachmentOf(allocation);
    const lines: [PodEvent, string][] = [
      [
        { kind: 'attached', ...attachment },
        'info shop/cart-0: attached with 10.244.1.7, fd00::7 on fr0123456789abc',
      ],
      [{ kind: 'detached', ...attachment }, 'info shop/cart-0: detached, released 10.244.1.7, fd00::7'],
      [
        { kind: 'faulty', pod: attachment.pod, found: 'by CHECK', faults: 'eth0 is down' },
        'warn shop/cart-0: by CHECK: eth0 is down',
      ],
      [
        { kind: 'outside-ranges', ...attachment },
        'warn shop/cart-0: keeps 10.244.1.7, fd00::7, which is not in podCIDRs any more',
      ],
      [
        { kind: 'orphans-removed', links: ['fr1', 'fr2'] },
        'warn pods: removed 2 links without a pod: fr1, fr2',
      ],
      [
        { kind: 'deletion-delayed', error: new Error('EBUSY') },
        'warn pods: cannot delete links of removed pods yet, will retry: EBUSY',
      ],
      [
        { kind: 'nearly-full', free: 6, size: 64 },
        'warn ipam: podCIDRs are nearly full: 6 of 64 addresses are free',
      ],
      [{ kind: 'store', level: 'info', text: 'upgraded' }, 'info ipam: upgraded'],
      [
        { kind: 'command-failed', command: 'ADD', containerId: 'c1', error: new Error('no'), details: 'why' },
        'error cni: ADD of c1: no: why',
      ],
      [
        { kind: 'command-failed', command: 'ADD', containerId: 'c1', error: new Error('no'), details: '' },
        'error cni: ADD of c1: no',
      ],
      [
        { kind: 'command-failed', command: 'GC', containerId: '', error: new Error('no'), details: '' },
        'error cni: GC: no',
      ],
      [
        { kind: 'command-failed', command: '', containerId: '', error: new Error('no'), details: '' },
        'error cni: a request without a command: no',
      ],
      [
        { kind: 'listening', socket: '/run/x.sock', pods: 3 },
        'info pods: serving CNI on /run/x.sock, 3 pods on this node',
      ],
    ];
    for (const [event, expected] of lines) {
      const { level, subject, text } = describePodEvent(event);
      assert.equal(`${level} ${subject}: ${text}`, expected);
    }
    assert.match(describePodEvent({ kind: 'spoofing-possible' }).text, /rp_filter is 2/);
  });
});
