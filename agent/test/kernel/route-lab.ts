import assert from 'node:assert/strict';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, beforeEach } from 'mocha';
import { findLink } from '../../kernel/link.ts';
import type { RouteTarget } from '../../kernel/route.ts';
import type { RouteEvent } from '../../kernel/route-store.ts';
import { RouteSync, type RouteSyncOptions } from '../../kernel/route-sync.ts';
import { ip } from '../addresses.ts';
import { TestNamespace } from './namespaces.ts';

export const VIA_2: RouteTarget = { type: 'unicast', nextHops: [{ gateway: ip('10.0.0.2') }] };
export const VIA_3: RouteTarget = { type: 'unicast', nextHops: [{ gateway: ip('10.0.0.3') }] };
export const BLACKHOLE: RouteTarget = { type: 'blackhole', nextHops: [] };

/** A namespace with a link `lan` (10.0.0.1/24) for each test, and RouteSyncs in it that end with the test. */
export class RouteLab {
  namespace: TestNamespace = undefined as never;
  events: RouteEvent[] = [];
  /** Index of `lan`. */
  lan = 0;
  #syncs: RouteSync[] = [];

  /** Registers the hooks of a `describe`. */
  constructor() {
    beforeEach(() => this.#setUp());
    afterEach(() => this.#tearDown());
  }

  #setUp(): void {
    this.#syncs = [];
    this.events = [];
    this.namespace = new TestNamespace();
    this.namespace.ip('link add lan type veth peer name lan-peer');
    this.namespace.ip('addr add 10.0.0.1/24 dev lan');
    this.namespace.ip('link set lan-peer up');
    this.namespace.ip('link set lan up');
    const netlink = this.namespace.open();
    this.lan = findLink(netlink, 'lan')?.index ?? 0;
    netlink.close();
  }

  #tearDown(): void {
    for (const sync of this.#syncs) sync.close();
    this.namespace.remove();
  }

  /** A started RouteSync in the namespace. */
  async start(options: Partial<RouteSyncOptions> = {}): Promise<RouteSync> {
    const sync = this.make(options);
    await sync.start();
    return sync;
  }

  /** A RouteSync in the namespace that is not started yet. */
  make(options: Partial<RouteSyncOptions> = {}): RouteSync {
    const sync = new RouteSync({
      table: 254,
      netns: this.namespace.path,
      onRoute: (event) => this.events.push(event),
      onError: (error) => assert.fail(error),
      ...options,
    });
    this.#syncs.push(sync);
    return sync;
  }

  /** What the kernel has for a prefix, without trailing blanks. */
  shown(prefix: string, table = 'main'): string[] {
    const lines = this.namespace.ip(`route show exact ${prefix} table ${table}`).split('\n');
    return lines.map((line) => line.trim()).filter((line) => line !== '');
  }

  /** Waits until `condition` holds; the limit only ends a test that would hang. */
  async until(condition: () => boolean, what: string): Promise<void> {
    for (let i = 0; i < 1000; i++) {
      if (condition()) return;
      await sleep(10);
    }
    assert.fail(`never happened: ${what}`);
  }
}
