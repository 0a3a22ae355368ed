/* multipart.h: the parts of a form, multipart/form-data (RFC 7578, RFC 2046 §5.1), where they lie.
 *
 * For bodies that are passed on: whoever reads them after us must see the parts that we saw, or one model
 * is paid for and another called. So this reads what clients write, and where two readers could
 * differ it sees a problem: text around the parts, blanks behind a boundary, lines that only begin with
 * it or are ended by half a line break, a field that is there twice, encoded values.
 *
 * No allocation; all of the body is there. */
#ifndef SLUICE_FORMAT_MULTIPART_H
#define SLUICE_FORMAT_MULTIPART_H

#include "sluice/base/span.h"

enum {
    MULTIPART_PARTS_MAX = 256,
    MULTIPART_HEAD_MAX = 4096,
    MULTIPART_BOUNDARY_MAX = 70, /* RFC 2046 §5.1.1 */
};

enum multipart_status {
    MULTIPART_PART,
    MULTIPART_END, /* all was as it should be */
    MULTIPART_INVALID,
};

struct multipart_part {
    struct span name; /* without its quotes; may be empty, holds no backslash */
    struct span value;
    bool is_file;      /* it has a filename, empty perhaps */
    size_t start, end; /* offsets of the boundaries' lines before and behind it */
    size_t value_at;   /* offset */
};

struct multipart {
    /* read by the caller */
    struct multipart_part part;
    const char *problem; /* MULTIPART_INVALID: a static phrase, "a part has no name" */
    size_t offset;       /* likewise: about where */
    /* private */
    struct span body;
    uint8_t line[2 + MULTIPART_BOUNDARY_MAX]; /* dashes and boundary */
    size_t line_len;
    size_t at; /* of the next boundary's line */
    unsigned parts;
};

/* The boundary in the value of a Content-Type; SPAN_NONE when there is none, or more than one. */
struct span multipart_boundary(struct span content_type);

/* `boundary` is one that multipart_boundary found. */
void multipart_init(struct multipart *m, struct span body, struct span boundary);
enum multipart_status multipart_next(struct multipart *m);

#endif
