/** The codec of BGP messages: bytes to messages and back (RFC 4271 §4). */
export { type AsSegment, formatAsPath } from './as-path.ts';
export { Community } from './attribute-types.ts';
export { type Attributes, decodeAttributes, encodeAttributes } from './attributes.ts';
export { CapabilityCode, type RawCapability } from './capability.ts';
export {
  formatCommunity,
  formatExtendedCommunity,
  formatIPv6ExtendedCommunity,
  formatLargeCommunity,
  type LargeCommunity,
  parseCommunity,
  parseExtendedCommunity,
  parseIPv6ExtendedCommunity,
  parseLargeCommunity,
} from './communities.ts';
export type { BgpError, Handling, MalformedAttribute } from './error.ts';
export { FAMILIES, type Family, IPV4_UNICAST, IPV6_UNICAST } from './families.ts';
export { Framer, HEADER_LENGTH, MAX_MESSAGE_LENGTH, MessageType } from './frame.ts';
export { decodeMessage, encodeMessage, isError, KEEPALIVE, type Message } from './message.ts';
export { nlriLength } from './nlri.ts';
export {
  decodeNotification,
  describeNotification,
  encodeNotification,
  type Notification,
  notificationName,
  shutdownData,
  shutdownMessage,
} from './notification.ts';
export { AS_TRANS, decodeOpen, encodeOpen, type OpenMessage } from './open.ts';
export { decodeRouteRefresh, encodeRouteRefresh, type RouteRefresh } from './refresh.ts';
export { encodeUpdate } from './update.ts';
