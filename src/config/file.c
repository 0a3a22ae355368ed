#include "file.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

static int read_all(int fd, size_t max, struct buf *out, struct err *why)
{
    for (;;) {
        if (buf_len(out) > max)
            return err_set(why, "larger than %zu bytes", max);
        if (buf_reserve(out, 4096) < 0)
            return err_set(why, "out of memory");
        ssize_t n = read(fd, out->at + out->tail, out->cap - out->tail);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return err_set(why, "cannot be read: %s", strerror(errno));
        if (n == 0)
            return 0;
        out->tail += (size_t)n;
    }
}

int file_read(const char *path, size_t max, struct buf *out, bool *world_readable, struct err *why)
{
    /* O_NONBLOCK so that opening a named pipe returns, to be refused below */
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0)
        return err_set(why, "cannot be opened: %s", strerror(errno));
    struct stat st;
    int rc;
    if (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode))
        rc = err_set(why, "is not a regular file");
    else
        rc = read_all(fd, max, out, why);
    if (rc == 0 && world_readable != NULL)
        *world_readable = (st.st_mode & S_IROTH) != 0;
    close(fd);
    return rc;
}
