/* file.h: a whole small file in memory. */
#ifndef SLUICE_SRC_CONFIG_FILE_H
#define SLUICE_SRC_CONFIG_FILE_H

#include "sluice/base/buf.h"
#include "sluice/base/err.h"

/* 0, or -EINVAL with the reason in `why` (without the path, which the caller has). Only regular
 * files: a pipe or a terminal could keep a reload waiting for ever. `world_readable` may be NULL. */
int file_read(const char *path, size_t max, struct buf *out, bool *world_readable, struct err *why)
    __attribute__((warn_unused_result));

#endif
