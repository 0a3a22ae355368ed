/* A form. The parts that are found must make up the body again: each boundary's line, head and value follow
 * upon the one before, and no value holds a boundary's line. */
#include "sluice/format/multipart.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool condition)
{
    if (!condition)
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct multipart m;
    enum multipart_status status;
    struct span rest = span_of(data, size), type = span_cut(&rest, '\n');
    struct span boundary = multipart_boundary(type), body = rest;
    if (boundary.len == 0)
        boundary = SPAN_LIT("b");
    must(boundary.len <= MULTIPART_BOUNDARY_MAX);
    multipart_init(&m, body, boundary);
    size_t at = m.at;
    while ((status = multipart_next(&m)) == MULTIPART_PART) {
        const struct multipart_part *p = &m.part;
        must(p->start == at && p->value_at > at + 2 + boundary.len && p->end <= body.len);
        must(p->value.at == body.at + p->value_at && p->value_at + p->value.len + 2 == p->end);
        must(span_eq(span_sub(body, p->value_at - 4, 4), SPAN_LIT("\r\n\r\n")));
        must(span_eq(span_sub(body, p->end - 2, 4), SPAN_LIT("\r\n--")));
        must(span_eq(span_sub(body, p->end + 2, boundary.len), boundary));
        must(memchr(p->name.at, '\\', p->name.len) == NULL);
        at = p->end;
    }
    must(status == MULTIPART_END || (m.problem != NULL && m.offset <= body.len));
    return 0;
}
