/** The keys of a session's options in both daemons. */
import { readFileSync, statSync } from 'node:fs';
import type { PeerConfig } from 'bgp-js';
import * as z from 'zod';
import * as value from './values.ts';

/** TCP_MD5SIG_MAXKEYLEN. */
const MAXIMUM_KEY = 80;
const MAXIMUM_FILE = 4096;

/** A file with a key on one line, without permissions for others; becomes the key. */
const passwordFile = value.scalar((path, fail): string => {
  if (typeof path !== 'string' || !path.startsWith('/'))
    return fail('is not an absolute path; it must start with "/"');
  let text: string;
  try {
    const stat = statSync(path);
    if (!stat.isFile() || stat.size > MAXIMUM_FILE)
      return fail('is not a regular file of at most 4096 bytes; write the key into one');
    if ((stat.mode & 0o007) !== 0) return fail(`is accessible to every user; run "chmod 600 ${path}"`);
    text = readFileSync(path, 'utf8').replace(/\r?\n$/, '');
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code;
    if (code === undefined) throw error;
    return fail(`cannot be read (${code}); check the path and its mode`);
  }
  const octets = Buffer.byteLength(text);
  if (octets === 0 || octets > MAXIMUM_KEY || text.includes('\n'))
    return fail(`does not contain a key; write 1–${MAXIMUM_KEY} bytes on one line into it`);
  return text;
});

const family = value.oneOf('ipv4-unicast', 'ipv6-unicast');

/** The keys, all optional; docs/configuration.md lists them. */
export const sessionKeys = {
  families: z.optional(value.list(family)),
  extendedNextHop: z.optional(value.flag),
  addPath: z.optional(
    value.section({ receive: value.flag.default(false), send: value.integer(0, 64).default(0) }),
  ),
  extendedMessages: z.optional(value.flag),
  // RFC 4724 §3: twelve bits of seconds; RFC 9494 §3: twenty-four.
  gracefulRestart: z.optional(
    value.section({
      restartTime: z.optional(value.duration(0, 4095)),
      longLivedStaleTime: z.optional(value.duration(0, 16_777_215)),
    }),
  ),
  role: z.optional(value.oneOf('provider', 'customer', 'peer', 'rs-server', 'rs-client')),
  roleStrict: z.optional(value.flag),
  localAs: z.optional(value.asNumber),
  localAsMode: z.optional(value.oneOf('prepend', 'no-prepend', 'replace-as')),
  asOverride: z.optional(value.flag),
  allowAsIn: z.optional(value.integer(0, 10)),
  removePrivateAs: z.optional(value.flag),
  maximumAsPathLength: z.optional(value.integer(1, 1000)),
  maximumPrefixesWarning: z.optional(value.integer(1, 100)),
  maximumPrefixesRestart: z.optional(value.duration(1, 86_400)),
  maximumPrefixesAction: z.optional(value.oneOf('reset', 'drop')),
  maximumAttributeOctets: z.optional(value.integer(4096, 4_000_000_000)),
  passwordFile: z.optional(passwordFile),
  ttlSecurity: z.optional(value.integer(1, 254)),
  multihop: z.optional(value.integer(2, 255)),
  source: z.optional(value.anyHostAddress),
  interface: z.optional(value.text(15)),
  dscp: z.optional(value.integer(0, 63)),
  userTimeout: z.optional(value.duration(1, 86_400)),
};

type SessionKeys = z.output<z.ZodObject<typeof sessionKeys>>;

/** The options of a session as the BGP library takes them, with the key from `passwordFile`. */
export type SessionSettings = Partial<
  Pick<
    PeerConfig,
    | 'families'
    | 'extendedNextHop'
    | 'addPath'
    | 'extendedMessages'
    | 'restartTime'
    | 'longLivedStaleTime'
    | 'role'
    | 'roleStrict'
    | 'localAs'
    | 'localAsMode'
    | 'asOverride'
    | 'allowAsIn'
    | 'removePrivateAs'
    | 'maximumAsPathLength'
    | 'maximumPrefixesWarning'
    | 'maximumPrefixesRestart'
    | 'maximumPrefixesAction'
    | 'maximumAttributeOctets'
    | 'transport'
  >
>;

/** The settings of the keys that are set; the others are absent. */
export function sessionSettings(keys: SessionKeys): SessionSettings {
  const { families, gracefulRestart, maximumPrefixesWarning, userTimeout } = keys;
  const transport = defined({
    localAddress: keys.source,
    interface: keys.interface,
    password: keys.passwordFile,
    ttlSecurity: keys.ttlSecurity,
    ttl: keys.multihop,
    dscp: keys.dscp,
    userTimeoutMs: userTimeout === undefined ? undefined : userTimeout * 1000,
  });
  return defined({
    families: families?.length === 0 ? undefined : families,
    extendedNextHop: keys.extendedNextHop,
    addPath: keys.addPath,
    extendedMessages: keys.extendedMessages,
    restartTime: gracefulRestart?.restartTime,
    longLivedStaleTime: gracefulRestart?.longLivedStaleTime,
    role: keys.role,
    roleStrict: keys.roleStrict,
    localAs: keys.localAs,
    localAsMode: keys.localAsMode,
    asOverride: keys.asOverride,
    allowAsIn: keys.allowAsIn,
    removePrivateAs: keys.removePrivateAs,
    maximumAsPathLength: keys.maximumAsPathLength,
    maximumPrefixesWarning: maximumPrefixesWarning === undefined ? undefined : maximumPrefixesWarning / 100,
    maximumPrefixesRestart: keys.maximumPrefixesRestart,
    maximumPrefixesAction: keys.maximumPrefixesAction,
    maximumAttributeOctets: keys.maximumAttributeOctets,
    transport: Object.keys(transport).length === 0 ? undefined : transport,
  });
}

function defined<T extends object>(fields: T): T {
  return Object.fromEntries(Object.entries(fields).filter(([, field]) => field !== undefined)) as T;
}
