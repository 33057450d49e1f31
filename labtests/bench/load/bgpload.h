/* bgpload: what its two parts share. */
#ifndef BGPLOAD_H
#define BGPLOAD_H

#include <stddef.h>
#include <stdint.h>

enum { MSG_OPEN = 1, MSG_UPDATE, MSG_NOTIFICATION, MSG_KEEPALIVE };
enum { ATTR_MP_REACH = 14, ATTR_MP_UNREACH = 15, FLAG_EXTENDED_LENGTH = 0x10 };
enum { HEADER = 19, MAX_MESSAGE = 4096, READ_BUFFER = 256 * 1024, WRITE_CHUNK = 256 * 1024 };
/* Octets of an UPDATE before its withdrawn routes and, when it has none, before its attributes. */
enum { UPDATE_WITHDRAWN = HEADER + 2, UPDATE_ATTRIBUTES = HEADER + 4 };
enum state { CONNECTING, OPEN_SENT, OPEN_CONFIRM, ESTABLISHED, DEAD };

#define BASE_ADDRESS 0x14000000u /* 20.0.0.0, the first generated prefix */
#define HOLD_TIME_S 240
#define KEEPALIVE_S 20
#define ESTABLISH_S 120
#define CHANGE_S 40 /* a change that takes longer counts as lost */

struct burst {
  uint8_t *bytes;
  size_t length;
};

struct session {
  int fd, index;
  enum state state;
  uint32_t address, as;             /* in host order */
  uint8_t *input;
  size_t input_length;
  const uint8_t *output;            /* the rest of the burst under way */
  size_t output_length;
  uint8_t control[MAX_MESSAGE];     /* OPEN and KEEPALIVE that wait to be sent */
  size_t control_length;
  struct burst announcements, withdrawals;
  uint8_t *received;                /* one bit for each prefix */
  uint64_t received_count;          /* the bits that are set */
  uint64_t updates, nlri, duplicates;
  double retry_at;
};

struct prefix {
  uint32_t address;
  uint8_t length;
};

struct options {
  const char *target, *table;
  int port, sessions, senders, per_set, ebgp, churn, withdraw, pid, prefix_length;
  uint32_t local, prefixes, as;
  double timeout, settle;
};

extern struct options options;
extern struct session *sessions;
extern uint64_t total_prefixes;

/* Prints what is wrong and exits with 1. */
void die(const char *format, ...) __attribute__((format(printf, 1, 2), noreturn));
/* Zeroed memory; exits when there is none. */
void *allocate(size_t size);

uint8_t *put16(uint8_t *at, unsigned value);
uint8_t *put32(uint8_t *at, uint32_t value);
unsigned get16(const uint8_t *at);

/* The prefix with this number, and the number of a prefix; -1 for one that is not of the table, such as the daemon's. */
struct prefix prefix_at(uint64_t number);
int64_t number_of(uint32_t address, unsigned length);
/* Reads an NLRI; returns its octets, or 0 when it is malformed. */
unsigned read_nlri(const uint8_t *at, const uint8_t *end, struct prefix *prefix);
uint8_t *put_nlri(uint8_t *at, struct prefix prefix);

void put_header(uint8_t *message, size_t length, int type);
size_t build_open(uint8_t *message, const struct session *session);
uint8_t *put_attributes(uint8_t *at, const struct session *session, uint32_t set);
void build_announcements(struct session *session);
void build_withdrawals(struct session *session);
/* Reads the UPDATEs of options.table as the announcements of a session. */
void read_table(struct session *session);
/* Whether a table was read. */
int has_table(void);

#endif
