/** Listening on several endpoints, with real sockets in network namespaces: ours is 10.9.0.1 and 2001:db8:9::1. */
import { birdPeer, Lab } from './lab.ts';

const WILDCARDS = [
  { address: '0.0.0.0', port: 179 },
  { address: '::', port: 179 },
];
const ADDRESSES = [
  { address: '10.9.0.1', port: 179 },
  { address: '2001:db8:9::1', port: 179 },
];
const DUAL_STACK = [{ address: '::', port: 179 }];

const FAMILIES = [
  { family: 'IPv4', ours: '10.9.0.1', range: '10.9.0.0/24' },
  { family: 'IPv6', ours: '2001:db8:9::1', range: '2001:db8:9::/64' },
];

describe('a host that listens', () => {
  let lab: Lab;
  beforeEach(() => {
    lab = new Lab();
  });
  afterEach(() => lab.remove());

  for (const { family, ours, range } of FAMILIES) {
    for (const [name, listen] of [
      ['on 0.0.0.0 and ::', WILDCARDS],
      ['on an address of each family', ADDRESSES],
      ['on :: alone', DUAL_STACK],
    ] as const) {
      it(`${name} accepts ${family} clients of a range, with an MD5 key and GTSM`, async () => {
        const options = 'password "of the rack"; ttl security on;';
        await lab.bird(birdPeer(`neighbor ${ours} as 64512; ${options}`));
        const transport = { password: 'of the rack', ttlSecurity: 1 };
        const speaker = await lab.speaker({ range, passive: true, transport }, { listen });
        await speaker.event('established');
      });
    }
  }

  it('on an address of each family connects from the one of the peer', async () => {
    const bird = 'neighbor 2001:db8:9::1 as 64512; passive;';
    await lab.bird(birdPeer(bird));
    const localAddress = ADDRESSES.map(({ address }) => address);
    const speaker = await lab.speaker({ address: '2001:db8:9::2' }, { listen: ADDRESSES, localAddress });
    await speaker.event('established');
  });
});
