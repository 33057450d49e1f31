/** Numbers of the Linux user-space interface: netlink(7), rtnetlink(7), and the headers under include/uapi/linux. */

/** Message types (linux/netlink.h, linux/rtnetlink.h). */
export const MESSAGE = {
  ERROR: 2,
  DONE: 3,
  NEWLINK: 16,
  DELLINK: 17,
  GETLINK: 18,
  NEWADDR: 20,
  DELADDR: 21,
  GETADDR: 22,
  NEWROUTE: 24,
  DELROUTE: 25,
  GETROUTE: 26,
  NEWNEIGH: 28,
  DELNEIGH: 29,
  GETNEIGH: 30,
} as const;

/** Flags of a netlink header. The values overlap: their meaning depends on the kind of request. */
export const FLAG = {
  REQUEST: 0x1,
  ACK: 0x4,
  DUMP: 0x300,
  REPLACE: 0x100,
  EXCLUSIVE: 0x200,
  CREATE: 0x400,
  /** On an error message: the request is not repeated in it, and attributes follow. */
  CAPPED: 0x100,
  ACK_ATTRIBUTES: 0x200,
} as const;

/** Multicast groups of NETLINK_ROUTE (enum rtnetlink_groups). */
export const GROUP = { LINK: 1, IPV4_ADDRESS: 5, IPV4_ROUTE: 7 } as const;

/** No address family; asks for all of them. */
export const AF_UNSPEC = 0;
/** IPv4. */
export const AF_INET = 2;
/** IPv6. */
export const AF_INET6 = 10;

/** The attribute of a new veth pair that holds the peer's end (VETH_INFO_PEER of linux/veth.h). */
export const VETH_PEER = 1;

/** Requests links without their statistics, which are most of the answer (RTEXT_FILTER_SKIP_STATS). */
export const LINK_SKIP_STATISTICS = 8;

/** Attributes of routes (linux/rtnetlink.h). */
export const ROUTE_ATTRIBUTE = {
  DESTINATION: 1,
  INTERFACE: 4,
  GATEWAY: 5,
  METRIC: 6,
  SOURCE: 7,
  MULTIPATH: 9,
  TABLE: 15,
  VIA: 18,
} as const;
/** Flags of a route or of a look-up. FIB_MATCH asks for the entry of the table instead of a cache entry. */
export const ROUTE_FLAG = { FIB_MATCH: 0x2000, CLONED: 0x200 } as const;
/** Flags of a next hop. */
export const NEXT_HOP_FLAG = { ONLINK: 4 } as const;
/** How far the destination of a route or the validity of an address reaches. NOWHERE matches any at deletion. */
export const SCOPE = { UNIVERSE: 0, LINK: 253, NOWHERE: 255 } as const;
/** Routing tables; UNSPEC in the fixed part means that the attribute TABLE has the number. */
export const TABLE = { UNSPEC: 0, MAIN: 254 } as const;

/** Who installed a route (linux/rtnetlink.h; /etc/iproute2/rt_protos). */
export const PROTOCOL = { KERNEL: 2, BOOT: 3, STATIC: 4, FLATROUTE: 179 } as const;

/** Names of route protocols for `flatroute explain` and error texts. */
export const PROTOCOL_NAMES: Readonly<Record<number, string>> = {
  1: 'redirect',
  2: 'kernel',
  3: 'boot',
  4: 'static',
  11: 'zebra',
  12: 'bird',
  16: 'dhcp',
  179: '179, ours',
  186: 'bgp',
  187: 'isis',
  188: 'ospf',
  189: 'rip',
  192: 'eigrp',
};

/** Route types by number (RTN_*). */
export const ROUTE_TYPES = [
  'unspec',
  'unicast',
  'local',
  'broadcast',
  'anycast',
  'multicast',
  'blackhole',
  'unreachable',
  'prohibit',
  'throw',
  'nat',
  'xresolve',
] as const;
