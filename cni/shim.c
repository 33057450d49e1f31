/*
 * The CNI plugin that runtimes execute: a forwarder. It sends its CNI_* environment and its standard input
 * to the agent over a Unix socket, prints the answer, and exits with the code in the answer. protocol.ts
 * describes the frames.
 *
 * Why C and why so little? A runtime executes the plugin for every pod, and while it runs the pod waits.
 * A static program of this size starts in a millisecond and has no dependencies that could be missing on
 * the node. All decisions are the agent's, so the plugin does not change with them.
 *
 * Each phase has a deadline of its own: reading the configuration, connecting, sending, waiting for the
 * answer. Every failure is an error in the format of the CNI specification. Error 11 asks the runtime to
 * try again: the agent does not run or went away. Error 5 is for everything that would fail again.
 *
 * The socket is the first of: $FLATROUTE_CNI_SOCKET; the first line of the file "<this program>.socket",
 * because runtimes start plugins with their own environment; /run/flatroute/cni.sock.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

/* The limits of protocol.ts; a test compares them. */
#define REQUEST_MAGIC "FRQ1"
#define ANSWER_MAGIC "FRA1"
#define HEADER_LENGTH 12
#define ENVIRONMENT_MAX (256 * 1024)
#define BODY_MAX (1024 * 1024)

#define DEFAULT_SOCKET "/run/flatroute/cni.sock" /* also in install.ts */
#define STDIN_MS 5000   /* the runtime writes the configuration and closes */
#define CONNECT_MS 500  /* connect waits only if the agent's backlog is full */
#define SEND_MS 5000
#define ANSWER_MS 60000 /* less than runtimes allow for a sandbox */

/* Error codes of the CNI specification, section 5. */
enum { CNI_IO_FAILURE = 5, CNI_TRY_AGAIN_LATER = 11 };

extern char **environ;

/* One byte more than allowed, to tell a full body from one that is too large. */
static unsigned char request[HEADER_LENGTH + ENVIRONMENT_MAX + BODY_MAX + 1];
static unsigned char answer[HEADER_LENGTH + BODY_MAX];

/*
 * Prints a CNI error and exits with 1. `path` is the file or socket in question, or "". `error` is an errno,
 * or 0. Messages contain no characters that JSON escapes; paths may contain any.
 */
static void fail(int code, const char *message, const char *path, int error) {
  char quoted[6 * sizeof(((struct sockaddr_un *)0)->sun_path) + 1];
  size_t n = 0;
  for (; *path && n + 7 < sizeof quoted; path++) {
    unsigned char c = (unsigned char)*path;
    if (c < 0x20 || c > 0x7e || c == '"' || c == '\\')
      n += (size_t)sprintf(quoted + n, "\\u%04x", c);
    else
      quoted[n++] = (char)c;
  }
  quoted[n] = 0;
  printf("{\"cniVersion\":\"1.0.0\",\"code\":%d,\"msg\":\"flatroute: %s\",", code, message);
  printf("\"details\":\"%s%s%s\"}\n", quoted, error ? ": " : "", error ? strerror(error) : "");
  fflush(stdout);
  _exit(1);
}

static long long now_ms(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (long long)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

/* Waits until fd is ready. Returns 0 with errno ETIMEDOUT after the deadline, or with another errno. */
static int ready(int fd, short events, long long deadline) {
  for (;;) {
    long long left = deadline - now_ms();
    struct pollfd p = {.fd = fd, .events = events};
    int n = poll(&p, 1, left > 0 ? (int)left : 0);
    if (n > 0) return 1;
    if (n < 0 && errno == EINTR) continue;
    if (n == 0) errno = ETIMEDOUT;
    return 0;
  }
}

/* Reads `size` bytes, or fewer if the other side closes. Returns their number, or -1 with errno. */
static ssize_t read_up_to(int fd, unsigned char *to, size_t size, long long deadline) {
  size_t have = 0;
  while (have < size) {
    if (!ready(fd, POLLIN, deadline)) return -1;
    ssize_t n = read(fd, to + have, size - have);
    if (n == 0) break;
    if (n > 0)
      have += (size_t)n;
    else if (errno != EINTR && errno != EAGAIN)
      return -1;
  }
  return (ssize_t)have;
}

static void put32(unsigned char *to, uint32_t v) {
  for (int i = 0; i < 4; i++) to[i] = (unsigned char)(v >> (24 - 8 * i));
}

static uint32_t get32(const unsigned char *from) {
  return (uint32_t)from[0] << 24 | (uint32_t)from[1] << 16 | (uint32_t)from[2] << 8 | from[3];
}

/* Opens the file "<this program>.socket" and puts its path into `file`. Returns -1 if there is none. */
static int open_socket_file(char *file, size_t size) {
  static const char suffix[] = ".socket";
  ssize_t n = readlink("/proc/self/exe", file, size - sizeof suffix);
  if (n <= 0 || (size_t)n == size - sizeof suffix) return -1;
  strcpy(file + n, suffix);
  int fd = open(file, O_RDONLY | O_CLOEXEC);
  if (fd < 0 && errno != ENOENT)
    fail(CNI_IO_FAILURE, "cannot read the file that names the agent's socket", file, errno);
  return fd;
}

/* Finds the agent's socket; the order is at the top. A file that is empty or too long is an error. */
static void socket_path(char *to, size_t size) {
  const char *env = getenv("FLATROUTE_CNI_SOCKET");
  if (env && *env) {
    if (strlen(env) >= size)
      fail(CNI_IO_FAILURE, "FLATROUTE_CNI_SOCKET is too long for a Unix socket", "", 0);
    strcpy(to, env);
    return;
  }
  char file[4096];
  int fd = open_socket_file(file, sizeof file);
  if (fd < 0) {
    strcpy(to, DEFAULT_SOCKET);
    return;
  }
  ssize_t n = read_up_to(fd, (unsigned char *)to, size - 1, now_ms() + STDIN_MS);
  close(fd);
  if (n < 0) fail(CNI_IO_FAILURE, "cannot read the file that names the agent's socket", file, errno);
  to[n] = 0;
  size_t length = strcspn(to, "\r\n");
  if (length == 0 || length == size - 1)
    fail(CNI_IO_FAILURE, "the first line of this file must be the path of the agent's socket", file, 0);
  to[length] = 0;
}

/* Fills `request` from the environment and standard input. Returns its size. */
static size_t build_request(void) {
  size_t at = HEADER_LENGTH;
  for (char **e = environ; e && *e; e++) {
    if (strncmp(*e, "CNI_", 4) != 0) continue;
    size_t length = strlen(*e) + 1;
    if (length > HEADER_LENGTH + ENVIRONMENT_MAX - at)
      fail(CNI_IO_FAILURE, "the CNI_ environment is larger than 256 KiB", "", 0);
    memcpy(request + at, *e, length);
    at += length;
  }
  ssize_t n = read_up_to(STDIN_FILENO, request + at, BODY_MAX + 1, now_ms() + STDIN_MS);
  if (n < 0) fail(CNI_IO_FAILURE, "cannot read the network configuration on standard input", "", errno);
  if ((size_t)n > BODY_MAX) fail(CNI_IO_FAILURE, "the network configuration is larger than 1 MiB", "", 0);
  memcpy(request, REQUEST_MAGIC, 4);
  put32(request + 4, (uint32_t)(at - HEADER_LENGTH));
  put32(request + 8, (uint32_t)n);
  return at + (size_t)n;
}

/* Connects to the agent and sends `size` bytes of `request`. Returns the socket. */
static int call(const char *path, size_t size) {
  struct sockaddr_un to = {.sun_family = AF_UNIX};
  strcpy(to.sun_path, path);
  int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (fd < 0) fail(CNI_IO_FAILURE, "cannot create a socket", path, errno);
  struct timeval wait = {.tv_sec = 0, .tv_usec = CONNECT_MS * 1000};
  setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &wait, sizeof wait);
  if (connect(fd, (struct sockaddr *)&to, sizeof to) < 0)
    fail(CNI_TRY_AGAIN_LATER, "the agent of this node does not answer; is it running?", path, errno);
  long long deadline = now_ms() + SEND_MS;
  for (size_t sent = 0; sent < size;) {
    if (!ready(fd, POLLOUT, deadline))
      fail(CNI_TRY_AGAIN_LATER, "the agent does not read the request", path, errno);
    ssize_t n = send(fd, request + sent, size - sent, MSG_NOSIGNAL | MSG_DONTWAIT);
    if (n > 0)
      sent += (size_t)n;
    else if (errno == EPIPE || errno == ECONNRESET)
      break; /* the agent may have sent an error before it closed */
    else if (errno != EAGAIN && errno != EINTR)
      fail(CNI_TRY_AGAIN_LATER, "cannot send to the agent", path, errno);
  }
  return fd;
}

int main(void) {
  char path[sizeof(((struct sockaddr_un *)0)->sun_path)];
  signal(SIGPIPE, SIG_IGN);
  socket_path(path, sizeof path);
  int fd = call(path, build_request());
  long long deadline = now_ms() + ANSWER_MS;
  ssize_t n = read_up_to(fd, answer, HEADER_LENGTH, deadline);
  if (n != HEADER_LENGTH)
    fail(CNI_TRY_AGAIN_LATER, "the agent closed the connection before it answered", path, n < 0 ? errno : 0);
  uint32_t exit_code = get32(answer + 4), length = get32(answer + 8);
  if (memcmp(answer, ANSWER_MAGIC, 4) != 0 || exit_code > 255 || length > BODY_MAX)
    fail(CNI_IO_FAILURE, "the process at this socket is not an agent of this version", path, 0);
  n = read_up_to(fd, answer, length, deadline);
  if (n < 0 || (uint32_t)n != length)
    fail(CNI_TRY_AGAIN_LATER, "the agent closed the connection within its answer", path, n < 0 ? errno : 0);
  if (fwrite(answer, 1, length, stdout) != length || fflush(stdout) != 0) return 1;
  return (int)exit_code;
}
