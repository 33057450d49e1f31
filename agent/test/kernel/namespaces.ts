import { spawnSync } from 'node:child_process';
import { Netlink } from '../../kernel/netlink.ts';
import { withNetns } from '../../kernel/netns.ts';

let count = 0;

/** A network namespace of this test alone; `remove` it in `after`. */
export class TestNamespace {
  readonly name: string;
  readonly path: string;

  constructor() {
    this.name = `frt${process.pid}-${count++}`;
    this.path = `/run/netns/${this.name}`;
    run('ip', 'netns', 'add', this.name);
    this.ip('link set lo up');
  }

  /** Runs `ip` inside with the words of `line` and returns what it printed. */
  ip(line: string): string {
    return run('ip', '-n', this.name, ...line.split(' '));
  }

  /** A netlink socket inside. */
  open(): Netlink {
    return withNetns(this.path, () => new Netlink());
  }

  remove(): void {
    run('ip', 'netns', 'del', this.name);
  }
}

/** Runs a command and returns its output; throws with its error output when it fails. */
export function run(command: string, ...parameters: string[]): string {
  const result = spawnSync(command, parameters, { encoding: 'utf8', maxBuffer: 1 << 28 });
  if (result.status !== 0) throw new Error(`${command} ${parameters.join(' ')}: ${result.stderr}`);
  return result.stdout;
}
