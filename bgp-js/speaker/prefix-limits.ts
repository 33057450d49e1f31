/** The limits of what a peer may make us hold: prefixes, and octets of path attributes. */
import type { AttributeTable } from '../rib/store/attribute-table.ts';
import type { PeerConnection } from '../session/peer.ts';
import { type PeerConfig, peerLimits } from '../session/peer-config.ts';
import { type BgpError, bgpError, CeaseCode } from '../wire/error.ts';

const NO_WARNINGS: readonly string[] = [];

/** Warnings of an established session that is near a limit or above it. Each is returned once a session. */
export function limitWarnings(connection: PeerConnection): readonly string[] {
  const { source } = connection.ribSession ?? {};
  if (!source) return NO_WARNINGS;
  const { maximumPrefixes: maximum, maximumPrefixesWarning = 1 } = connection.peer.config;
  const { received, dropped } = source;
  const isNear = received > maximumPrefixesWarning * maximum && received <= maximum;
  if (isNear && !connection.warnedNearMaximum) {
    connection.warnedNearMaximum = true;
    return [`${received} of at most ${maximum} prefixes received`];
  }
  if (dropped > 0 && !connection.warnedOfDrops) {
    connection.warnedOfDrops = true;
    return [`more than ${maximum} prefixes: further routes are dropped`];
  }
  return NO_WARNINGS;
}

/** The NOTIFICATION for a session that holds more than it may: Cease 6/1 (RFC 4486) or 6/8; null when it does not. */
export function limitExceeded(
  { ribSession, peer }: PeerConnection,
  attributes: AttributeTable,
): BgpError | null {
  if (!ribSession) return null;
  const { source } = ribSession;
  const { maximumPrefixes: maximum } = peer.config;
  if (source.received > maximum && !dropsAboveMaximum(peer.config)) {
    const data = Uint8Array.of(0, 1, 1, maximum >>> 24, maximum >>> 16, maximum >>> 8, maximum);
    return bgpError(
      CeaseCode.maximumPrefixes,
      `maximum prefixes exceeded: ${source.received} received, ${maximum} allowed`,
      data,
    );
  }
  const { maximumAttributeOctets } = peerLimits(peer.config);
  const held = attributes.octetsOf(source.index);
  if (held <= maximumAttributeOctets) return null;
  return bgpError(
    CeaseCode.outOfResources,
    `maximum attribute octets exceeded: ${held} held, ${maximumAttributeOctets} allowed`,
  );
}

const dropsAboveMaximum = ({ maximumPrefixesAction }: PeerConfig): boolean =>
  maximumPrefixesAction === 'drop';
