/* bgpload: prefixes, and the messages that it sends. bgpload.c has the measurement. */
#define _GNU_SOURCE
#include "bgpload.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

/* The prefixes of a table that was read, and a hash table from a prefix to its number plus 1. */
static struct prefix *table;
static uint32_t *table_index;
static uint32_t table_mask;

void die(const char *format, ...) {
  va_list arguments;
  va_start(arguments, format);
  fputs("bgpload: ", stderr);
  vfprintf(stderr, format, arguments);
  fputc('\n', stderr);
  exit(1);
}

void *allocate(size_t size) {
  void *memory = calloc(1, size);
  if (!memory) die("out of memory");
  return memory;
}

uint8_t *put16(uint8_t *at, unsigned value) { at[0] = value >> 8; at[1] = value; return at + 2; }
uint8_t *put32(uint8_t *at, uint32_t value) { put16(at, value >> 16); return put16(at + 2, value); }
unsigned get16(const uint8_t *at) { return at[0] << 8 | at[1]; }

/* ---- Prefixes ---- */

static unsigned octets_of(unsigned length) { return (length + 7) / 8; }

struct prefix prefix_at(uint64_t number) {
  if (table) return table[number];
  uint32_t offset = (uint32_t)(number << (32 - options.prefix_length));
  return (struct prefix){ BASE_ADDRESS + offset, options.prefix_length };
}

static uint32_t table_slot(uint32_t address, unsigned length) {
  uint32_t slot = (address ^ length * 0x9e3779b9u) * 0x85ebca6bu;
  for (slot ^= slot >> 15;; slot++) {
    uint32_t entry = table_index[slot & table_mask];
    if (!entry || (table[entry - 1].address == address && table[entry - 1].length == length)) return slot & table_mask;
  }
}

/* The number of a prefix, or -1 for one that nobody announces here, such as the daemon's own. */
int64_t number_of(uint32_t address, unsigned length) {
  if (table) return (int64_t)table_index[table_slot(address, length)] - 1;
  if (length != (unsigned)options.prefix_length || address < BASE_ADDRESS) return -1;
  uint64_t number = (address - BASE_ADDRESS) >> (32 - options.prefix_length);
  return number < total_prefixes ? (int64_t)number : -1;
}

/* Reads the NLRI at `at`; returns the octets it takes, or 0 when it does not fit before `end`. */
unsigned read_nlri(const uint8_t *at, const uint8_t *end, struct prefix *prefix) {
  unsigned octets = at < end ? octets_of(at[0]) : 0;
  if (at >= end || at[0] > 32 || at + 1 + octets > end) return 0;
  prefix->length = at[0];
  prefix->address = 0;
  for (unsigned i = 0; i < octets; i++) prefix->address |= (uint32_t)at[1 + i] << (24 - 8 * i);
  return 1 + octets;
}

uint8_t *put_nlri(uint8_t *at, struct prefix prefix) {
  uint8_t address[4];
  put32(address, prefix.address);
  *at++ = prefix.length;
  memcpy(at, address, octets_of(prefix.length));
  return at + octets_of(prefix.length);
}

/* ---- Messages to send ---- */

void put_header(uint8_t *message, size_t length, int type) {
  memset(message, 0xff, 16);
  put16(message + 16, length);
  message[18] = type;
}

size_t build_open(uint8_t *message, const struct session *session) {
  static const uint8_t capabilities[] = { 1, 4, 0, 1, 0, 1 /* IPv4 unicast */, 2, 0 /* route refresh */ };
  unsigned length = sizeof capabilities + 6;
  uint8_t *at = message + HEADER;
  *at++ = 4;
  at = put16(at, session->as > 65535 ? 23456 : session->as);
  at = put16(at, HOLD_TIME_S);
  at = put32(at, session->address);
  *at++ = length + 2;
  *at++ = 2;
  *at++ = length;
  memcpy(at, capabilities, sizeof capabilities);
  at += sizeof capabilities;
  *at++ = 65;
  *at++ = 4;
  at = put32(at, session->as);
  put_header(message, at - message, MSG_OPEN);
  return at - message;
}

/* The attributes of set `set`: sets of one sender differ by AS path and community. */
uint8_t *put_attributes(uint8_t *at, const struct session *session, uint32_t set) {
  unsigned hops = options.ebgp ? 2 : 1;
  uint8_t *length = at;
  at += 2;
  *at++ = 0x40, *at++ = 1, *at++ = 1, *at++ = 0; /* ORIGIN IGP */
  *at++ = 0x40, *at++ = 2, *at++ = 2 + 4 * hops, *at++ = 2, *at++ = hops; /* AS_PATH */
  if (options.ebgp) at = put32(at, session->as);
  at = put32(at, 100000 + set % 50000);
  *at++ = 0x40, *at++ = 3, *at++ = 4; /* NEXT_HOP */
  at = put32(at, session->address);
  if (!options.ebgp) {
    *at++ = 0x40, *at++ = 5, *at++ = 4; /* LOCAL_PREF */
    at = put32(at, 100);
  }
  *at++ = 0xc0, *at++ = 8, *at++ = 4; /* COMMUNITIES */
  at = put32(at, (uint32_t)session->index << 20 | (set & 0xfffff));
  put16(length, at - length - 2);
  return at;
}

void build_announcements(struct session *session) {
  uint32_t count = options.prefixes;
  size_t nlri = 1 + octets_of(options.prefix_length);
  size_t messages = count / options.per_set + 2 + count / 700 + 1;
  uint8_t *message = session->announcements.bytes = allocate(count * nlri + messages * 256);
  uint64_t first = (uint64_t)session->index * count;
  for (uint32_t i = 0; i < count;) {
    uint32_t set = i / options.per_set;
    uint64_t end = (set + 1) * (uint64_t)options.per_set;
    uint8_t *at = put_attributes(put16(message + HEADER, 0), session, set);
    for (; i < count && i < end && (size_t)(at - message) + nlri <= MAX_MESSAGE; i++)
      at = put_nlri(at, prefix_at(first + i));
    put_header(message, at - message, MSG_UPDATE);
    message = at;
  }
  session->announcements.length = message - session->announcements.bytes;
}

void build_withdrawals(struct session *session) {
  uint32_t count = options.prefixes;
  uint8_t *message = session->withdrawals.bytes = allocate(count * (size_t)5 + (count / 700 + 2) * 64);
  uint64_t first = (uint64_t)session->index * count;
  for (uint32_t i = 0; i < count;) {
    uint8_t *at = message + UPDATE_WITHDRAWN;
    for (; i < count && at - message + 5 + 2 <= MAX_MESSAGE; i++) at = put_nlri(at, prefix_at(first + i));
    put16(message + HEADER, at - (message + UPDATE_WITHDRAWN));
    at = put16(at, 0);
    put_header(message, at - message, MSG_UPDATE);
    message = at;
  }
  session->withdrawals.length = message - session->withdrawals.bytes;
}

/* Takes the announcements of the only sender from a file of whole UPDATEs, and numbers their prefixes. */
void read_table(struct session *session) {
  FILE *file = fopen(options.table, "rb");
  struct stat status;
  if (!file || fstat(fileno(file), &status) < 0) die("%s: %s", options.table, strerror(errno));
  size_t size = status.st_size, capacity = 1;
  uint8_t *bytes = allocate(size + 1);
  if (fread(bytes, 1, size, file) != size) die("%s: cannot be read", options.table);
  fclose(file);
  /* A prefix takes two octets at least; the hash table stays less than half full. */
  while (capacity < size) capacity *= 2;
  table = allocate((size / 2 + 1) * sizeof *table);
  table_index = allocate(capacity * sizeof *table_index);
  table_mask = capacity - 1;
  uint32_t count = 0;
  for (size_t at = 0; at < size;) {
    const uint8_t *message = bytes + at;
    unsigned length = size - at < UPDATE_ATTRIBUTES ? 0 : get16(message + 16);
    if (length < UPDATE_ATTRIBUTES || length > size - at || message[18] != MSG_UPDATE || get16(message + HEADER))
      die("%s: octet %zu does not start an UPDATE that only announces", options.table, at);
    const uint8_t *end = message + length, *nlri = message + UPDATE_ATTRIBUTES + get16(message + UPDATE_WITHDRAWN);
    for (unsigned taken; nlri < end; nlri += taken) {
      if (!(taken = read_nlri(nlri, end, &table[count]))) die("%s: malformed NLRI", options.table);
      uint32_t slot = table_slot(table[count].address, table[count].length);
      if (table_index[slot]) die("%s: a prefix occurs twice", options.table);
      table_index[slot] = ++count;
    }
    at += length;
  }
  options.prefixes = count;
  session->announcements = (struct burst){ bytes, size };
}

int has_table(void) { return table != NULL; }
