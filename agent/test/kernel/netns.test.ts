import assert from 'node:assert/strict';
import { readlinkSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { after, before, describe, it } from 'mocha';
import { listLinks } from '../../kernel/link.ts';
import { withNetns } from '../../kernel/netns.ts';
import { TestNamespace } from './namespaces.ts';

describe('withNetns', () => {
  let namespace: TestNamespace;
  const here = () => readlinkSync('/proc/thread-self/ns/net');

  before(() => {
    namespace = new TestNamespace();
    namespace.ip('link add onlyhere type veth peer name onlythere');
  });
  after(() => namespace?.remove());

  it('runs a function inside and returns', () => {
    const home = here();
    const inside = withNetns(namespace.path, here);
    assert.notEqual(inside, home);
    assert.equal(here(), home);
  });

  it('returns when the function throws', () => {
    const home = here();
    const fail = () => {
      throw new Error('on purpose');
    };
    assert.throws(() => withNetns(namespace.path, fail), /on purpose/);
    assert.equal(here(), home);
    assert.notEqual(withNetns(namespace.path, here), home);
  });

  it('refuses asynchronous and nested functions', () => {
    assert.throws(() => withNetns(namespace.path, () => Promise.resolve()), /must be synchronous/);
    const nested = () => withNetns(namespace.path, () => withNetns(namespace.path, here));
    assert.throws(nested, /does not nest/);
    assert.throws(() => withNetns('/proc/self/ns/uts', here), { name: 'KernelError', code: 'EINVAL' });
    assert.throws(() => withNetns('/run/netns/frt-none', here), { name: 'KernelError', code: 'ENOENT' });
  });

  it('keeps a socket in the namespace in which it was opened', () => {
    const netlink = namespace.open();
    try {
      const names = listLinks(netlink).map(({ name }) => name);
      assert.ok(names.includes('onlyhere'), String(names));
    } finally {
      netlink.close();
    }
  });

  it('keeps the thread pool in its own namespace, also during file operations', async () => {
    const pending = withNetns(namespace.path, () => ({
      reads: Array.from({ length: 16 }, () => readFile('/proc/thread-self/net/dev', 'utf8')),
    }));
    for (const text of await Promise.all(pending.reads)) assert.doesNotMatch(text, /onlyhere/);
  });
});
