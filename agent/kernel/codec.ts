/**
 * The codecs of the npm package `netlink` for messages about links, addresses and neighbours: the only place that
 * imports it. Rules, next hops and WireGuard's generic netlink have codecs in the same package.
 *
 * Only its codecs are used (`dist/structs.js`, `dist/rt`), which are plain JavaScript. Its socket is native code, aborts
 * the process when the receive buffer overruns and hides the kernel's error texts; `Netlink` (netlink.ts) takes its
 * place. Routes have a codec of our own (route.ts), which is 22 times as fast; see docs/dependencies.md.
 */
import {
  AttrStream,
  type BaseObject,
  getObject,
  getString,
  putString,
  type StreamData,
} from 'netlink/dist/structs.js';
import type { RequestFiller } from './netlink.ts';

export {
  type AddressMessage,
  formatAddressMessage,
  formatLinkMessage,
  formatNeighborMessage,
  type LinkMessage,
  type NeighborMessage,
  parseAddressMessage,
  parseLinkMessage,
  parseNeighborMessage,
} from 'netlink/dist/rt/structs.js';
export { putU32 } from 'netlink/dist/structs.js';

/** Attributes of IFLA_LINKINFO (linux/if_link.h), for which the package has no codec. */
const INFO_KIND = 1;
const INFO_DATA = 2;

interface LinkInfo extends BaseObject {
  kind?: string;
}

/** Fills a request with a message: its fixed part and its attributes. Use it with a fixed length of 0. */
export function fillWith<T>(format: (message: T, out: AttrStream) => void, message: T): RequestFiller {
  const bytes = encode((out) => format(message, out));
  return (builder) => builder.raw(bytes);
}

/** The bytes that `write` puts into a stream of attributes. */
export function encode(write: (out: AttrStream) => void): Buffer {
  const out = new AttrStream();
  write(out);
  return Buffer.concat(out.bufs);
}

/** IFLA_LINKINFO of a link to create: its kind, e.g. `veth`, and the attributes of that kind. */
export function encodeLinkInfo(kind: string, data: StreamData): Buffer {
  return encode((out) => {
    out.push(INFO_KIND, putString(kind));
    out.push(INFO_DATA, data);
  });
}

/** The kind in IFLA_LINKINFO; empty without one, as for hardware. */
export function decodeLinkKind(linkInfo: Buffer | undefined): string {
  if (linkInfo === undefined) return '';
  const info = getObject<LinkInfo>(linkInfo, {
    [INFO_KIND]: (data, object) => {
      object.kind = getString(data);
    },
  });
  return info.kind ?? '';
}
