#include "sluice/net/pump.h"

#include <stddef.h>

enum { TURN_BYTES = 4 * PUMP_PIECE_BYTES };

/* Moves the next `most` bytes at most from what is left to `out`; returns how many spans they are. */
static unsigned take(struct pump *p, size_t most, struct span *out, size_t *taken)
{
    unsigned n = 0;
    *taken = 0;
    while (p->nleft > 0 && *taken < most && n < PUMP_SPANS) {
        struct span *first = p->left;
        out[n] = span_sub(*first, 0, most - *taken);
        *taken += out[n].len;
        *first = span_skip(*first, out[n++].len);
        if (first->len > 0)
            break;
        p->left++;
        p->nleft--;
    }
    return n;
}

/* `p` may be gone when it returns true: that was all. */
static bool write_some(struct pump *p, size_t most, size_t *taken, enum flow *flow)
{
    struct span out[PUMP_SPANS];
    unsigned n = take(p, most, out, taken);
    bool is_last = p->nleft == 0;
    *flow = p->write(p->arg, out, n, is_last);
    return is_last;
}

void pump_go_on(struct pump *p)
{
    size_t taken, written = 0;
    enum flow flow = FLOW_OK;
    if (pump_is_through(p))
        return;
    loop_forget_turn(&p->again);
    while (flow == FLOW_OK && written < TURN_BYTES) {
        if (write_some(p, PUMP_PIECE_BYTES, &taken, &flow))
            return;
        written += taken;
    }
    if (flow == FLOW_OK)
        loop_next_turn(p->loop, &p->again);
}

static void on_next_turn(struct next_turn *t)
{
    pump_go_on((struct pump *)((char *)t - offsetof(struct pump, again)));
}

void pump_start(struct pump *p, struct loop *l, struct span *spans, unsigned n, pump_fn write,
                void *arg)
{
    *p = (struct pump){
        .again.run = on_next_turn,
        .loop = l,
        .left = spans,
        .nleft = n,
        .write = write,
        .arg = arg,
    };
    pump_go_on(p);
}

void pump_finish(struct pump *p)
{
    size_t taken;
    enum flow flow;
    if (pump_is_through(p))
        return;
    loop_forget_turn(&p->again);
    while (!write_some(p, SIZE_MAX, &taken, &flow))
        continue;
}

void pump_stop(struct pump *p)
{
    loop_forget_turn(&p->again);
    p->nleft = 0;
}
