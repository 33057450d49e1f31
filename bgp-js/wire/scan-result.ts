/** What a scan of path attributes depends on, and what it finds. The scan itself is in attribute-scan.ts. */
import { attributeName } from './attribute-types.ts';
import {
  type BgpError,
  bgpError,
  type Handling,
  type MalformedAttribute,
  type NotificationCode,
} from './error.ts';

/** The session on which attributes were received, as far as their meaning depends on it. */
export interface AttributeContext {
  /** The peer is external. */
  ebgp: boolean;
  /** AS numbers in AS_PATH and AGGREGATOR have four octets (RFC 6793). */
  fourOctetAs: boolean;
  localAs: number;
  /** Our BGP identifier and cluster id, for the loop checks of RFC 4456 §8; null: not checked. */
  localId: number | null;
  clusterId: number | null;
  /** Attributes of a route of our own: it needs no next hop, because every peer receives ours. */
  originated?: boolean;
  /** AIGP is enabled on the session; by default with internal peers only (RFC 7311 §3.1). */
  aigp?: boolean;
  /** Routes of external peers with GRACEFUL_SHUTDOWN get LOCAL_PREF 0 (RFC 8326 §4.2); true by default. */
  obeyGracefulShutdown?: boolean;
  /** What the session adds to received attributes. */
  edits?: ImportEdits;
}

/** Changes to the attributes of every route of a session before it is stored. */
export interface ImportEdits {
  /** Prepended to AS_PATH (RFC 7705 §3.1); 0: none. */
  prependAs: number;
  /** The value of OTC where the attribute is missing (RFC 9234 §5); 0: none. */
  onlyToCustomer: number;
}

/** The path attributes of a message, from `start` to `end`, and the session on which they were received. */
export interface AttributeField {
  bytes: Uint8Array;
  start: number;
  end: number;
  context: AttributeContext;
}

/** An attribute and its position in the buffer of the UPDATE. */
export interface AttributePosition {
  bytes: Uint8Array;
  type: number;
  flags: number;
  /** Where the attribute starts, and where its value starts and ends. */
  at: number;
  start: number;
  end: number;
}

/** An error in an attribute, as a check reports it. */
export interface AttributeFailure {
  type: number;
  handling: Handling;
  code: NotificationCode;
  text: string;
  /** The NOTIFICATION's data: the attribute itself, where RFC 4271 §6.3 wants it. */
  data?: Uint8Array;
}

const SEVERITY: Record<Handling, number> = { discard: 1, 'treat-as-withdraw': 2, reset: 3 };

/** The result of a scan. One object is reused for all UPDATEs. Addresses and identifiers are unsigned numbers. */
export class AttributeScan {
  /** 0: IGP, 1: EGP, 2: incomplete. */
  origin = 0;
  /** As RFC 4271 §9.1.2.2 a counts it: an AS_SET is one, confederation segments are none. */
  asPathLength = 0;
  /** The neighbouring AS: the first one of AS_PATH; 0: the path is empty or starts with a set. */
  firstAs = 0;
  /** The value of NEXT_HOP, where `AttrsFlag.ipv4NextHop` is set. */
  nextHop = 0;
  med = 0;
  localPref = 100;
  /** The value of ORIGINATOR_ID, where `AttrsFlag.originatorId` is set. */
  originatorId = 0;
  clusterListLength = 0;
  /** Bits of `AttrsFlag`. */
  flags = 0;
  /** Bit t % 32 of word t / 32 is set when an attribute of type t was found. */
  private readonly present = new Uint32Array(8);
  /** The stored form must differ from the wire's: an attribute is removed, converted or marked Partial. */
  rewrite = false;
  /** Bounds of the values of MP_REACH_NLRI and MP_UNREACH_NLRI; a start of 0: the UPDATE has none. */
  mpReachStart = 0;
  mpReachEnd = 0;
  mpUnreachStart = 0;
  mpUnreachEnd = 0;
  /** The strongest error; of equal ones the first. */
  error: BgpError | null = null;
  /** Types of the attributes that are not stored. */
  readonly discarded = new Set<number>();
  private malformed: MalformedAttribute[] = [];

  /** Clears the result for the next scan. */
  reset(): void {
    this.origin = this.asPathLength = this.firstAs = this.nextHop = this.med = 0;
    this.localPref = 100;
    this.originatorId = this.clusterListLength = this.flags = 0;
    this.present.fill(0);
    this.mpReachStart = this.mpReachEnd = this.mpUnreachStart = this.mpUnreachEnd = 0;
    this.rewrite = false;
    this.error = null;
    if (this.discarded.size > 0) this.discarded.clear();
    // An error that was handed out keeps its list.
    if (this.malformed.length > 0) this.malformed = [];
  }

  /** Records an error in an attribute. `error` becomes the strongest one so far (RFC 7606 §3 h). */
  fail({ type, handling, code, text, data }: AttributeFailure): void {
    if (handling === 'discard') this.discard(type);
    this.malformed.push({ type, handling });
    if (this.error && SEVERITY[this.error.handling] >= SEVERITY[handling]) return;
    this.error = bgpError(code, `${attributeName(type)}: ${text}`, data, handling);
    this.error.attributes = this.malformed;
  }

  /** Leaves an attribute out of the stored form. Without `fail`: it is valid, but has no meaning on this session. */
  discard(type: number): void {
    this.discarded.add(type);
    this.rewrite = true;
  }

  /** Whether an attribute of this type was found. */
  has(type: number): boolean {
    return (this.present[type >> 5] & (1 << (type & 31))) !== 0;
  }

  /** Records that an attribute of this type was found; false when there was one before. */
  note(type: number): boolean {
    if (this.has(type)) return false;
    this.present[type >> 5] |= 1 << (type & 31);
    return true;
  }
}
