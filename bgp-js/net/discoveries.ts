import { NeighbourDiscovery } from './neighbour-discovery.ts';

/** What the interfaces of unnumbered peers are searched for, and who is told. */
interface Told {
  found(name: string, address: string): void;
  failed(name: string, text: string): void;
}

/** The searches for neighbours: one on each interface that has unnumbered peers. */
export class Discoveries {
  private running: NeighbourDiscovery[] = [];
  private readonly advertised: Told;

  constructor(advertised: Told) {
    this.advertised = advertised;
  }

  /** Looks for neighbours on these interfaces, and no longer on others. */
  follow(names: readonly string[]): void {
    const kept = this.running.filter((discovery) => names.includes(discovery.name));
    for (const discovery of this.running) if (!kept.includes(discovery)) discovery.close();
    this.running = kept;
    for (const name of names) {
      if (kept.some((discovery) => discovery.name === name)) continue;
      const found = (address: string): void => this.advertised.found(name, address);
      this.running.push(new NeighbourDiscovery(name, found, (text) => this.advertised.failed(name, text)));
    }
  }
}
