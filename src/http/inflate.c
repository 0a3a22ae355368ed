#include "sluice/http/inflate.h"

#include "sluice/base/arena.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <zlib.h>

struct inflater {
    z_stream z;
    bool ended;
};

int inflater_new(struct span coding, struct inflater **out)
{
    *out = NULL;
    if (coding.len == 0 || span_ieq(coding, SPAN_LIT("identity")))
        return 0;
    bool known = span_ieq(coding, SPAN_LIT("gzip")) || span_ieq(coding, SPAN_LIT("x-gzip")) ||
                 span_ieq(coding, SPAN_LIT("deflate"));
    if (!known)
        return -ENOTSUP;
    struct inflater *i = xcalloc(1, sizeof *i);
    if (inflateInit2(&i->z, 15 + 32) != Z_OK) { /* 32: gzip or zlib, told by the header */
        free(i);
        return -ENOMEM;
    }
    *out = i;
    return 0;
}

void inflater_free(struct inflater *i)
{
    if (i == NULL)
        return;
    inflateEnd(&i->z);
    free(i);
}

int inflater_step(struct inflater *i, struct span *in, uint8_t *out, size_t size, size_t *n)
{
    *n = 0;
    if (i->ended) {
        int rc = in->len > 0 ? -EPROTO : 0; /* bytes behind the end */
        *in = SPAN_NONE;
        return rc;
    }
    unsigned take = in->len > UINT_MAX ? UINT_MAX : (unsigned)in->len;
    i->z.next_in = (Bytef *)(uintptr_t)in->at; /* zlib reads only; its type predates const */
    i->z.avail_in = take;
    i->z.next_out = out;
    i->z.avail_out = (unsigned)size;
    int rc = inflate(&i->z, Z_SYNC_FLUSH);
    *in = span_skip(*in, take - i->z.avail_in);
    *n = size - i->z.avail_out;
    if (rc == Z_STREAM_END) {
        i->ended = true;
        return 0;
    }
    return rc == Z_OK || rc == Z_BUF_ERROR ? 0 : -EPROTO;
}

bool inflater_is_complete(const struct inflater *i)
{
    return i->ended;
}
