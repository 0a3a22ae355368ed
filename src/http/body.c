#include "sluice/http/body.h"

#include <errno.h>

static int reserve_in_budget(struct body *b, size_t more)
{
    uint64_t used = b->budget->used_bytes, max = b->budget->max_bytes;
    if (used > max || more > max - used) /* a reload may have lowered it below what is in use */
        return -EDQUOT;
    b->budget->used_bytes += more;
    b->reserved += more;
    return 0;
}

int body_reserve(struct body *b, size_t more)
{
    size_t room = b->reserved - buf_len(&b->bytes);
    if (more > room) {
        int rc = reserve_in_budget(b, more - room);
        if (rc < 0)
            return rc;
    }
    return buf_reserve_exact(&b->bytes, more);
}

int body_add(struct body *b, struct span piece)
{
    if (piece.len == 0)
        return 0;
    if (b->bytes.at != NULL && piece.at == b->bytes.at + b->bytes.tail) {
        b->bytes.tail += piece.len; /* read in place, into room that was reserved */
        return 0;
    }
    size_t room = b->reserved - buf_len(&b->bytes);
    if (piece.len > room) {
        int rc = reserve_in_budget(b, piece.len - room);
        if (rc < 0)
            return rc;
    }
    return buf_add(&b->bytes, piece);
}

void body_fini(struct body *b)
{
    buf_fini(&b->bytes);
    if (b->budget != NULL)
        b->budget->used_bytes -= b->reserved;
    b->reserved = 0;
}

void body_move(struct body *to, struct body *from)
{
    *to = *from;
    *from = (struct body){.budget = from->budget};
}
