/* finding.h: collecting the problems of one load.
 *
 * A load goes on after an error as far as it makes sense, so that the operator sees everything at
 * once. The list is bounded: a hostile file would otherwise turn 8 MiB into gigabytes of text. */
#ifndef SLUICE_SRC_CONFIG_FINDING_H
#define SLUICE_SRC_CONFIG_FINDING_H

#include "sluice/config/snapshot.h"

enum { FINDINGS_MAX = 100 };

/* Where something was written; line 0 when it is not in a file. */
struct place {
    const char *file;
    unsigned line, column;
};

void findings_error(struct findings *f, struct place at, const char *path, const char *format, ...)
    __attribute__((format(printf, 4, 5)));
void findings_warning(struct findings *f, struct place at, const char *path, const char *format,
                      ...) __attribute__((format(printf, 4, 5)));

/* By line and column; what has no place comes first. Equal places keep their order. */
void findings_sort(struct findings *f);

#endif
