/** What is cleared away when nothing else is to be done. */
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { once } from 'node:events';
import net from 'node:net';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { Remains } from '../../net/remains.ts';
import type { Routing } from '../../rib/routing.ts';
import { Node, until } from './tcp.ts';

/** Of connections that end, after which the heap is collected. */
const MANY = 256;
const A = '127.0.0.1';
const B = '127.0.0.2';

/** Remains of `slices` slices, each of which takes a millisecond; and how often the heap was collected. */
function scene(slices: number) {
  const state = { slices, now: 0, collections: 0 };
  const routing = {
    get hasRemains() {
      return state.slices > 0;
    },
    clearRemains: () => {
      state.slices--;
      state.now++;
    },
  };
  const remains = new Remains(
    routing as Routing,
    () => state.now,
    () => state.collections++,
  );
  return { state, remains };
}

const leave = (remains: Remains, times: number) => {
  for (let i = 0; i < times; i++) remains.leave();
};

describe('remains', () => {
  it('of routes are cleared away in slices, as long as there is time', () => {
    const { state, remains } = scene(5);
    assert.equal(remains.clear(2), false);
    assert.equal(state.slices, 3);
    assert.equal(remains.clear(2), false, 'late, but one slice at least');
    assert.equal(state.slices, 2);
    assert.equal(remains.clear(10), true);
    assert.equal(state.slices, 0);
    assert.equal(state.collections, 0, 'no connection ended');
  });

  it('of many connections are collected once, after those of routes', () => {
    const { state, remains } = scene(2);
    leave(remains, MANY - 1);
    assert.equal(remains.clear(10), true);
    assert.equal(state.collections, 0);
    leave(remains, 1);
    state.slices = 2;
    assert.equal(remains.clear(state.now + 1), false);
    assert.equal(state.collections, 0, 'routes first');
    for (let i = 0; i < 3; i++) remains.clear(100);
    assert.equal(state.collections, 1);
    leave(remains, 3 * MANY);
    for (let i = 0; i < 3; i++) remains.clear(100);
    assert.equal(state.collections, 2, 'however many they were');
  });

  it('are those of connections that a peer ends and of those that the host ends', async () => {
    let collections = 0;
    const node = new Node(A, { collect: () => collections++ });
    const sockets: net.Socket[] = [];
    try {
      await node.host.start();
      node.peer(B, { passive: true });
      const connect = async (): Promise<net.Socket> => {
        const socket = net.connect({ host: A, port: node.host.port, localAddress: B });
        sockets.push(socket.resume());
        await once(socket, 'connect');
        await until(() => node.connections === 1, 'it is accepted');
        return socket;
      };
      for (let i = 1; i < MANY; i++) {
        (await connect()).destroy();
        await until(() => node.connections === 0, 'its end is seen');
      }
      await connect();
      assert.equal(collections, 0);
      node.host.speaker.removePeer(B, node.host.now());
      node.host.wake();
      await until(() => collections === 1, 'the heap is collected');
    } finally {
      for (const socket of sockets) socket.destroy();
      await node.host.stop('the test is over');
    }
  });

  it('are collected by themselves in a process that was started for it, which may do without the warning', async () => {
    const program = join(import.meta.dirname, 'programs/collect.ts');
    const run = (...flags: string[]) =>
      promisify(execFile)(process.execPath, [...flags, program], { timeout: 50_000 });
    const own = await run('--expose-gc', '--disable-warning=ExperimentalWarning');
    assert.deepEqual(own, { stdout: 'collected\n', stderr: '' });
    assert.deepEqual(await run(), { stdout: 'left\n', stderr: '' });
  });
});
