/*
 * bgpload: a load generator and stopwatch for any BGP speaker.
 *
 * It plays N BGP neighbours of one daemon. The first S of them announce prefixes. It measures
 *   converge  from the first byte sent until every neighbour has received every prefix of the others,
 *   churn     from a change of one prefix until every other neighbour has received it, many times over,
 *   withdraw  from the first withdrawal sent until no neighbour has a prefix left.
 * Every daemon gets the same bytes and is timed by the same clock, so results compare as ratios within one run.
 *
 * How it works: `main` builds the whole burst of each sender in advance (`build_announcements`, `read_table`,
 * `build_withdrawals`), so that encoding costs nothing while the clock runs. `turn` is one round of the event loop: it
 * sends what fits (`flush`) and reads what came (`readable`, `message`, `receive_nlri`), and keeps a bitmap of received
 * prefixes for each neighbour. `run_phase` takes turns until `missing` finds nothing left.
 *
 * It prints one line of JSON for each phase. Formats: RFC 4271 (OPEN, UPDATE), RFC 5492 (capabilities), RFC 6793
 * (four-octet AS numbers), RFC 4760 (multiprotocol).
 *
 *   cc -O2 -o bgpload bgpload.c messages.c
 *   bgpload --target 10.200.0.1 --local 10.200.1.1 --sessions 50 --prefixes 1000
 */
#define _GNU_SOURCE
#include "bgpload.h"

#include <arpa/inet.h>
#include <errno.h>
#include <getopt.h>
#include <netinet/tcp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

struct options options = { .port = 179, .sessions = 10, .senders = -1, .prefixes = 100, .per_set = 100, .as = 65000,
              .timeout = 300, .settle = 1.0, .prefix_length = 24, .withdraw = 1 };
struct session *sessions;
uint64_t total_prefixes;

static int epoll_fd, established;

static double now(void) {
  struct timespec time;
  clock_gettime(CLOCK_MONOTONIC, &time);
  return time.tv_sec + time.tv_nsec / 1e9;
}

/* ---- Sessions ---- */

static void watch(struct session *session) {
  int wants_out = session->control_length || session->output_length || session->state == CONNECTING;
  struct epoll_event event = { .events = EPOLLIN | (wants_out ? EPOLLOUT : 0), .data.ptr = session };
  if (epoll_ctl(epoll_fd, EPOLL_CTL_MOD, session->fd, &event) < 0)
    epoll_ctl(epoll_fd, EPOLL_CTL_ADD, session->fd, &event);
}

/* Sends what the socket takes, control messages first. */
static void flush(struct session *session) {
  while (session->control_length) {
    ssize_t sent = write(session->fd, session->control, session->control_length);
    if (sent <= 0) break;
    session->control_length -= sent;
    memmove(session->control, session->control + sent, session->control_length);
  }
  while (!session->control_length && session->output_length) {
    size_t chunk = session->output_length > WRITE_CHUNK ? WRITE_CHUNK : session->output_length;
    ssize_t sent = write(session->fd, session->output, chunk);
    if (sent <= 0) break;
    session->output += sent;
    session->output_length -= sent;
  }
  watch(session);
}

/* Sends a message between bursts. In a burst it is left out: what the burst sends keeps the session alive. */
static void send_control(struct session *session, const uint8_t *message, size_t length) {
  if (session->output_length || session->control_length + length > sizeof session->control) return;
  memcpy(session->control + session->control_length, message, length);
  session->control_length += length;
  flush(session);
}

static void send_keepalive(struct session *session) {
  uint8_t message[HEADER];
  put_header(message, sizeof message, MSG_KEEPALIVE);
  send_control(session, message, sizeof message);
}

static void send_burst(struct session *session, const uint8_t *bytes, size_t length) {
  session->output = bytes;
  session->output_length = length;
  flush(session);
}

static void start_session(struct session *session) {
  int one = 1;
  struct sockaddr_in local = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(session->address) };
  struct sockaddr_in remote = { .sin_family = AF_INET, .sin_port = htons(options.port) };
  if (inet_pton(AF_INET, options.target, &remote.sin_addr) != 1)
    die("--target %s is not an IPv4 address", options.target);
  session->fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (session->fd < 0) die("socket: %s", strerror(errno));
  setsockopt(session->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
  setsockopt(session->fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
  if (bind(session->fd, (void *)&local, sizeof local) < 0)
    die("bind %s: %s", inet_ntoa(local.sin_addr), strerror(errno));
  session->state = CONNECTING;
  session->input_length = session->control_length = session->output_length = 0;
  connect(session->fd, (void *)&remote, sizeof remote);
  watch(session);
}

/* Retries a session that is not up yet; one that was up is lost for good. */
static void close_session(struct session *session, const char *reason) {
  close(session->fd);
  session->fd = -1;
  if (session->state == ESTABLISHED) {
    fprintf(stderr, "bgpload: session %d: %s while Established\n", session->index, reason);
    session->state = DEAD;
    established--;
  } else {
    session->state = CONNECTING;
    session->retry_at = now() + 0.5;
  }
}

/* ---- Received messages ---- */

static void receive_nlri(struct session *session, const uint8_t *at, const uint8_t *end, int announced) {
  struct prefix prefix;
  for (unsigned taken; at < end; at += taken) {
    if (!(taken = read_nlri(at, end, &prefix))) die("session %d: malformed NLRI", session->index);
    int64_t number = number_of(prefix.address, prefix.length);
    if (number < 0) continue;
    uint8_t *octet = &session->received[number >> 3], bit = 1 << (number & 7);
    session->nlri++;
    if (announced && *octet & bit) session->duplicates++;
    if (!announced == !(*octet & bit)) continue;
    *octet ^= bit;
    session->received_count += announced ? 1 : -1;
  }
}

/* IPv4 unicast in MP_REACH_NLRI and MP_UNREACH_NLRI counts too (RFC 4760). */
static void receive_multiprotocol(struct session *session, const uint8_t *at, const uint8_t *end) {
  while (at + 3 <= end) {
    unsigned extended = at[0] & FLAG_EXTENDED_LENGTH, type = at[1];
    unsigned length = extended ? get16(at + 2) : at[2];
    const uint8_t *value = at + (extended ? 4 : 3), *next = value + length;
    if (next > end) die("session %d: malformed attributes", session->index);
    int is_ipv4 = length >= 3 && get16(value) == 1 && value[2] == 1;
    if (type == ATTR_MP_REACH && is_ipv4) receive_nlri(session, value + 5 + value[3], next, 1);
    if (type == ATTR_MP_UNREACH && is_ipv4) receive_nlri(session, value + 3, next, 0);
    at = next;
  }
}

static void receive_update(struct session *session, const uint8_t *message, unsigned length) {
  const uint8_t *withdrawn = message + UPDATE_WITHDRAWN, *end = message + length;
  const uint8_t *attributes = length < UPDATE_ATTRIBUTES ? end : withdrawn + get16(message + HEADER) + 2;
  const uint8_t *nlri = attributes > end ? end + 1 : attributes + get16(attributes - 2);
  if (length < UPDATE_ATTRIBUTES || nlri > end) die("session %d: malformed UPDATE", session->index);
  session->updates++;
  receive_nlri(session, withdrawn, attributes - 2, 0);
  receive_nlri(session, nlri, end, 1);
  receive_multiprotocol(session, attributes, nlri);
}

static void receive_message(struct session *session, const uint8_t *message, unsigned length) {
  char reason[64];
  switch (message[18]) {
    case MSG_OPEN:
      session->state = OPEN_CONFIRM;
      send_keepalive(session);
      break;
    case MSG_KEEPALIVE:
      if (session->state != OPEN_CONFIRM) break;
      session->state = ESTABLISHED;
      established++;
      break;
    case MSG_UPDATE:
      receive_update(session, message, length);
      break;
    case MSG_NOTIFICATION:
      snprintf(reason, sizeof reason, "NOTIFICATION %u/%u", message[HEADER], message[HEADER + 1]);
      close_session(session, reason);
  }
}

/* Reads a few buffers, so that one busy session does not hold up the others. */
static void readable(struct session *session) {
  for (int i = 0; i < 8; i++) {
    ssize_t count = read(session->fd, session->input + session->input_length, READ_BUFFER - session->input_length);
    if (count < 0 && (errno == EAGAIN || errno == EINTR)) return;
    if (count <= 0) {
      close_session(session, count ? strerror(errno) : "connection closed");
      return;
    }
    session->input_length += count;
    size_t at = 0;
    while (session->input_length - at >= HEADER) {
      unsigned length = get16(session->input + at + 16);
      if (length < HEADER) die("session %d: message of %u octets", session->index, length);
      if (session->input_length - at < length) break;
      receive_message(session, session->input + at, length);
      if (session->fd < 0) return;
      at += length;
    }
    session->input_length -= at;
    memmove(session->input, session->input + at, session->input_length);
  }
}

static void connected(struct session *session) {
  int error = 0;
  socklen_t length = sizeof error;
  uint8_t message[64];
  getsockopt(session->fd, SOL_SOCKET, SO_ERROR, &error, &length);
  if (error) {
    close_session(session, strerror(error));
    return;
  }
  session->state = OPEN_SENT;
  send_control(session, message, build_open(message, session));
}

/* One round of the event loop, which waits for `ms` at most. */
static void turn(int ms) {
  static double keepalive_at;
  struct epoll_event events[256];
  int count = epoll_wait(epoll_fd, events, 256, ms);
  double time = now();
  for (int i = 0; i < count; i++) {
    struct session *session = events[i].data.ptr;
    if (session->fd < 0) continue;
    if (session->state == CONNECTING) {
      connected(session);
      continue;
    }
    if (events[i].events & (EPOLLIN | EPOLLHUP | EPOLLERR)) readable(session);
    if (session->fd >= 0 && events[i].events & EPOLLOUT) flush(session);
  }
  for (int i = 0; i < options.sessions; i++) {
    struct session *session = &sessions[i];
    if (session->fd < 0 && session->state == CONNECTING && time > session->retry_at) start_session(session);
  }
  if (time < keepalive_at) return;
  keepalive_at = time + KEEPALIVE_S;
  for (int i = 0; i < options.sessions; i++)
    if (sessions[i].state == ESTABLISHED) send_keepalive(&sessions[i]);
}

/* ---- Measurements ---- */

/* CPU time of the daemon's process in seconds (proc(5), fields 14 and 15 of stat). */
static double cpu_time(void) {
  char path[64], text[1024];
  unsigned long user = 0, system = 0;
  snprintf(path, sizeof path, "/proc/%d/stat", options.pid);
  FILE *file = options.pid ? fopen(path, "r") : NULL;
  if (!file) return 0;
  text[fread(text, 1, sizeof text - 1, file)] = 0;
  fclose(file);
  /* The second field is the name in brackets, which may hold blanks and brackets. */
  const char *fields = strrchr(text, ')');
  if (fields) sscanf(fields + 2, "%*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %lu %lu", &user, &system);
  return (double)(user + system) / sysconf(_SC_CLK_TCK);
}

/* A number of the daemon's /proc/PID/status, in KiB. */
static long memory(const char *key) {
  char path[64], line[256];
  long value = 0;
  snprintf(path, sizeof path, "/proc/%d/status", options.pid);
  FILE *file = options.pid ? fopen(path, "r") : NULL;
  if (!file) return 0;
  while (fgets(line, sizeof line, file))
    if (!strncmp(line, key, strlen(key))) value = atol(line + strlen(key) + 1);
  fclose(file);
  return value;
}

/* How many prefixes all neighbours together lack or, when everything is withdrawn, still have. */
static uint64_t missing(int withdrawn) {
  uint64_t sum = 0;
  for (int i = 0; i < options.sessions; i++) {
    const struct session *session = &sessions[i];
    if (session->state != ESTABLISHED) continue;
    uint64_t own = i < options.senders ? options.prefixes : 0, has = session->received_count;
    uint64_t wanted = withdrawn ? 0 : total_prefixes - own;
    /* Routes that the daemon sends back to their sender do not count. */
    uint64_t first = (uint64_t)i * options.prefixes;
    if (!withdrawn && own && session->received[first >> 3] & 1 << (first & 7)) has -= has < own ? has : own;
    sum += wanted > has ? wanted - has : has - wanted;
  }
  return sum;
}

/* Sends a burst from every sender and waits for its effect; returns whether it was complete in time. */
static int run_phase(const char *name, int withdrawn) {
  double cpu_before = cpu_time(), start = now(), end = start + options.timeout, check_at = 0;
  uint64_t left = 1, updates = 0, nlri = 0, duplicates = 0;
  for (int i = 0; i < options.senders; i++) {
    struct burst burst = withdrawn ? sessions[i].withdrawals : sessions[i].announcements;
    send_burst(&sessions[i], burst.bytes, burst.length);
  }
  for (double time = start; left && time < end; time = now()) {
    turn(1);
    if (now() <= check_at) continue;
    left = missing(withdrawn);
    check_at = now() + (options.sessions > 50 ? 0.005 : 0.001);
  }
  double seconds = now() - start;
  for (int i = 0; i < options.sessions; i++) {
    updates += sessions[i].updates;
    nlri += sessions[i].nlri;
    duplicates += sessions[i].duplicates;
  }
  printf("{\"phase\":\"%s\",\"ok\":%s,\"seconds\":%.4f,\"missing\":%ju,\"sessions\":%d,\"senders\":%d,", name,
         left ? "false" : "true", seconds, (uintmax_t)left, established, options.senders);
  printf("\"prefixes\":%ju,\"updates_rx\":%ju,\"nlri_rx\":%ju,\"duplicates\":%ju,", (uintmax_t)total_prefixes,
         (uintmax_t)updates, (uintmax_t)nlri, (uintmax_t)duplicates);
  printf("\"target_cpu_s\":%.2f,\"target_rss_kb\":%ld,\"target_peak_kb\":%ld}\n", cpu_time() - cpu_before,
         memory("VmRSS"), memory("VmHWM"));
  fflush(stdout);
  return !left;
}

/* Whether every other neighbour has, or no longer has, the first prefix of the first sender. */
static int all_have_first(int announced) {
  for (int i = 1; i < options.sessions; i++)
    if (sessions[i].state == ESTABLISHED && (sessions[i].received[0] & 1) != announced) return 0;
  return 1;
}

static int compare_doubles(const void *a, const void *b) {
  double difference = *(const double *)a - *(const double *)b;
  return difference < 0 ? -1 : difference > 0;
}

/* Withdraws and announces one prefix again and again; the time of each announcement is a sample. */
static int run_churn(void) {
  struct session *sender = &sessions[0];
  double *samples = allocate(options.churn * sizeof *samples), cpu_before = cpu_time();
  uint8_t withdrawal[64], announcement[MAX_MESSAGE];
  uint8_t *at = put_nlri(withdrawal + UPDATE_WITHDRAWN, prefix_at(0));
  int ok = 1;
  put16(withdrawal + HEADER, at - (withdrawal + UPDATE_WITHDRAWN));
  at = put16(at, 0);
  size_t withdrawal_length = at - withdrawal;
  put_header(withdrawal, withdrawal_length, MSG_UPDATE);
  size_t frame = UPDATE_ATTRIBUTES + get16(sender->announcements.bytes + UPDATE_WITHDRAWN);
  memcpy(announcement, sender->announcements.bytes, frame);
  size_t announcement_length = put_nlri(announcement + frame, prefix_at(0)) - announcement;
  put_header(announcement, announcement_length, MSG_UPDATE);
  for (int i = 0; i < 2 * options.churn; i++) {
    int announced = i & 1;
    double start = now();
    if (announced) send_burst(sender, announcement, announcement_length);
    else send_burst(sender, withdrawal, withdrawal_length);
    do turn(1);
    while (!all_have_first(announced) && now() - start < CHANGE_S);
    if (!all_have_first(announced)) ok = 0;
    if (announced) samples[i / 2] = now() - start;
  }
  qsort(samples, options.churn, sizeof *samples, compare_doubles);
  int count = options.churn;
  printf("{\"phase\":\"churn\",\"ok\":%s,\"rounds\":%d,\"p50_ms\":%.3f,\"p99_ms\":%.3f,\"max_ms\":%.3f,",
         ok ? "true" : "false", count, samples[count / 2] * 1e3, samples[count * 99 / 100] * 1e3,
         samples[count - 1] * 1e3);
  printf("\"target_cpu_s\":%.2f}\n", cpu_time() - cpu_before);
  fflush(stdout);
  return ok;
}

/* ---- Start ---- */

static const char USAGE[] =
  "bgpload --target IP --local FIRST_IP [--port 179] [--sessions N] [--senders S] [--as AS]\n"
  "        [--prefixes P] [--per-attr K] [--plen 24]   each sender announces P prefixes, K with the same attributes\n"
  "        [--table FILE]   the only sender announces the UPDATEs of a file instead\n"
  "        [--ebgp]         session i is in AS + 1 + i\n"
  "        [--churn ROUNDS] [--no-withdraw] [--pid DAEMON] [--settle S] [--timeout S]";

static void read_options(int count, char **values) {
  static const struct option names[] = {
    { "target", 1, 0, 't' }, { "port", 1, 0, 'p' }, { "local", 1, 0, 'l' }, { "sessions", 1, 0, 'n' },
    { "senders", 1, 0, 's' }, { "prefixes", 1, 0, 'x' }, { "per-attr", 1, 0, 'a' }, { "table", 1, 0, 'f' },
    { "as", 1, 0, 'A' }, { "ebgp", 0, 0, 'e' }, { "timeout", 1, 0, 'T' }, { "settle", 1, 0, 'S' },
    { "churn", 1, 0, 'c' }, { "pid", 1, 0, 'P' }, { "plen", 1, 0, 'm' }, { "no-withdraw", 0, 0, 'W' },
    { "help", 0, 0, 'h' }, { 0, 0, 0, 0 } };
  struct in_addr address;
  for (int name; (name = getopt_long(count, values, "h", names, 0)) != -1;) switch (name) {
    case 't': options.target = optarg; break;
    case 'p': options.port = atoi(optarg); break;
    case 'l':
      if (!inet_aton(optarg, &address)) die("--local %s is not an IPv4 address", optarg);
      options.local = ntohl(address.s_addr);
      break;
    case 'n': options.sessions = atoi(optarg); break;
    case 's': options.senders = atoi(optarg); break;
    case 'x': options.prefixes = atoi(optarg); break;
    case 'a': options.per_set = atoi(optarg); break;
    case 'f': options.table = optarg; break;
    case 'A': options.as = atoi(optarg); break;
    case 'e': options.ebgp = 1; break;
    case 'T': options.timeout = atof(optarg); break;
    case 'S': options.settle = atof(optarg); break;
    case 'c': options.churn = atoi(optarg); break;
    case 'P': options.pid = atoi(optarg); break;
    case 'm': options.prefix_length = atoi(optarg); break;
    case 'W': options.withdraw = 0; break;
    default:
      puts(USAGE);
      exit(name == 'h' ? 0 : 2);
  }
  if (!options.target || !options.local) die("--target and --local are required (see --help)");
  if (options.sessions < 1 || options.per_set < 1) die("--sessions and --per-attr are 1 or more");
  if (options.prefix_length < 8 || options.prefix_length > 32) die("--plen is 8 to 32");
  if (options.senders < 0 || options.senders > options.sessions) options.senders = options.sessions;
  if (options.table && options.senders != 1) die("--table needs --senders 1");
}

/* Connections start one after the other: some daemons listen with a backlog of 8. */
static void make_session(int index) {
  struct session *session = &sessions[index];
  session->index = index;
  session->address = options.local + index;
  session->as = options.ebgp ? options.as + 1 + index : options.as;
  session->input = allocate(READ_BUFFER);
  session->received = allocate(total_prefixes / 8 + 1);
  if (index < options.senders) {
    if (!options.table) build_announcements(session);
    build_withdrawals(session);
  }
  session->fd = -1;
  session->state = CONNECTING;
  session->retry_at = now() + index * 0.004;
}

int main(int count, char **values) {
  struct rlimit descriptors = { 65536, 65536 };
  read_options(count, values);
  setrlimit(RLIMIT_NOFILE, &descriptors);
  epoll_fd = epoll_create1(EPOLL_CLOEXEC);
  sessions = allocate(options.sessions * sizeof *sessions);
  if (options.table) read_table(&sessions[0]);
  total_prefixes = (uint64_t)options.senders * options.prefixes;
  if (!total_prefixes) die("there is no prefix to announce");
  if (!has_table() && total_prefixes << (32 - options.prefix_length) > 0xC0000000ull)
    die("too many prefixes for /%d", options.prefix_length);
  for (int i = 0; i < options.sessions; i++) make_session(i);

  double start = now();
  while (established < options.sessions && now() - start < ESTABLISH_S) turn(10);
  printf("{\"phase\":\"establish\",\"ok\":%s,\"seconds\":%.4f,\"sessions\":%d}\n",
         established == options.sessions ? "true" : "false", now() - start, established);
  fflush(stdout);
  if (established < options.sessions) return 1;
  for (double settled = now() + options.settle; now() < settled;) turn(10);

  int ok = run_phase("converge", 0);
  if (options.churn) ok &= run_churn();
  if (options.withdraw) ok &= run_phase("withdraw", 1);
  return ok ? 0 : 1;
}
