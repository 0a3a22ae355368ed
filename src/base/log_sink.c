/* Lines wait between head and tail of one block that is allocated once; the pages of a buffer that
 * never fills are never touched. */
#include "sluice/base/log.h"

#include "sluice/base/arena.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#define NO_FLAGS (-1)
#define TERMINAL_STEP 1024

struct log_sink {
    int fd;
    int flags_before; /* of a borrowed descriptor we made non-blocking, else NO_FLAGS */
    bool is_terminal;
    char *path; /* NULL: fd is borrowed */
    size_t head, tail, cap;
    uint64_t dropped;
    uint8_t bytes[];
};

/* A terminal's mode is shared with the shell, so it is left alone and asked before each write:
 * somebody who stops the output with ^S must not stop the loop. A file does not block for long. */
static void stop_blocking(struct log_sink *s)
{
    struct stat st;
    s->flags_before = NO_FLAGS;
    s->is_terminal = isatty(s->fd) == 1;
    if (fstat(s->fd, &st) < 0 || !(S_ISFIFO(st.st_mode) || S_ISSOCK(st.st_mode)))
        return;
    int flags = fcntl(s->fd, F_GETFL);
    if (flags >= 0 && !(flags & O_NONBLOCK) && fcntl(s->fd, F_SETFL, flags | O_NONBLOCK) == 0)
        s->flags_before = flags;
}

static int open_path(const char *path)
{
    return open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NOCTTY | O_NONBLOCK, 0640);
}

struct log_sink *log_sink_open_fd(int fd, size_t bytes_max)
{
    struct log_sink *s = malloc(sizeof(*s) + bytes_max);
    if (s == NULL)
        return NULL;
    *s = (struct log_sink){.fd = fd, .cap = bytes_max};
    stop_blocking(s);
    return s;
}

struct log_sink *log_sink_open(const char *path_or_dash, size_t bytes_max)
{
    if (strcmp(path_or_dash, "-") == 0)
        return log_sink_open_fd(STDOUT_FILENO, bytes_max);
    int fd = open_path(path_or_dash);
    if (fd < 0)
        return NULL;
    struct log_sink *s = log_sink_open_fd(fd, bytes_max);
    if (s == NULL) {
        (void)close(fd);
        errno = ENOMEM;
        return NULL;
    }
    s->path = xstrdup(path_or_dash);
    return s;
}

void log_sink_close(struct log_sink *s)
{
    if (s == NULL)
        return;
    (void)log_sink_flush(s);
    if (s->path != NULL)
        (void)close(s->fd);
    else if (s->flags_before != NO_FLAGS)
        (void)fcntl(s->fd, F_SETFL, s->flags_before);
    free(s->path);
    free(s);
}

static void drop_waiting(struct log_sink *s)
{
    for (size_t i = s->head; i < s->tail; i++)
        s->dropped += s->bytes[i] == '\n';
    s->head = s->tail = 0;
}

/* How much one write may take: on a terminal no more than it has room for when it says it has. */
static size_t writable_bytes(const struct log_sink *s)
{
    size_t len = s->tail - s->head;
    if (!s->is_terminal)
        return len;
    struct pollfd p = {.fd = s->fd, .events = POLLOUT};
    if (poll(&p, 1, 0) <= 0)
        return 0;
    return len < TERMINAL_STEP ? len : TERMINAL_STEP;
}

size_t log_sink_flush(struct log_sink *s)
{
    size_t len = writable_bytes(s);
    if (len == 0)
        return s->tail - s->head;
    ssize_t wrote;
    do
        wrote = write(s->fd, s->bytes + s->head, len);
    while (wrote < 0 && errno == EINTR);
    if (wrote >= 0)
        s->head += (size_t)wrote;
    else if (errno != EAGAIN)
        drop_waiting(s);
    if (s->head == s->tail)
        s->head = s->tail = 0;
    return s->tail - s->head;
}

uint8_t *log_sink_room(struct log_sink *s, size_t most)
{
    if (s->cap - (s->tail - s->head) < most)
        (void)log_sink_flush(s);
    if (s->cap - (s->tail - s->head) < most) {
        s->dropped++;
        return NULL;
    }
    if (s->cap - s->tail < most) {
        memmove(s->bytes, s->bytes + s->head, s->tail - s->head);
        s->tail -= s->head;
        s->head = 0;
    }
    return s->bytes + s->tail;
}

void log_sink_commit(struct log_sink *s, size_t used)
{
    s->tail += used;
}

void log_sink_add(struct log_sink *s, struct span line)
{
    uint8_t *room = log_sink_room(s, line.len);
    if (room == NULL || line.len == 0)
        return;
    memcpy(room, line.at, line.len);
    log_sink_commit(s, line.len);
}

uint64_t log_sink_dropped(const struct log_sink *s)
{
    return s->dropped;
}

int log_sink_reopen(struct log_sink *s)
{
    if (s->path == NULL)
        return 0;
    (void)log_sink_flush(s); /* what was logged before the rotation belongs to the old file */
    int fd = open_path(s->path);
    if (fd < 0)
        return -errno;
    (void)close(s->fd);
    s->fd = fd;
    return 0;
}
