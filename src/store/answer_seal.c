#include "answer_seal.h"

#include "sluice/base/arena.h"
#include "sluice/net/offload.h"

#include <stdlib.h>

/* Owns itself, and copies of all it needs: who wanted it may be gone. */
struct answer_seal_job {
    struct seal seal;
    struct answer_id id;
    uint8_t print[ANSWER_PRINT_BYTES];
    bool opens, is_good;
    struct buf in, out;
    struct offload *job;
    answer_seal_fn done;
    void *arg;
};

enum { NAME_BYTES = ANSWER_ID_BYTES + ANSWER_PRINT_BYTES };

static struct span name_of(const struct answer_seal *s, uint8_t out[NAME_BYTES])
{
    memcpy(out, s->id->bytes, ANSWER_ID_BYTES);
    memcpy(out + ANSWER_ID_BYTES, s->print, ANSWER_PRINT_BYTES);
    return span_of(out, NAME_BYTES);
}

int answer_seal_head(struct buf *out, const uint8_t print[ANSWER_PRINT_BYTES], bool has_more)
{
    int rc = buf_add(out, span_of(print, ANSWER_PRINT_BYTES));
    return rc == 0 ? buf_add_byte(out, has_more) : rc;
}

bool answer_seal_now(const struct answer_seal *s, struct span answer, struct buf *out)
{
    uint8_t name[NAME_BYTES];
    size_t room = ANSWER_WRITTEN_HEAD_BYTES + answer.len + SEAL_OVERHEAD_BYTES;
    return buf_reserve_exact(out, room) == 0 && answer_seal_head(out, s->print, true) == 0 &&
           seal_close(s->seal, name_of(s, name), answer, out) == 0;
}

static void run(void *arg) /* on any thread */
{
    struct answer_seal_job *j = arg;
    const struct answer_seal s = {&j->seal, &j->id, j->print};
    uint8_t name[NAME_BYTES];
    j->is_good = j->opens ? seal_open(&j->seal, name_of(&s, name), buf_span(&j->in), &j->out)
                          : answer_seal_now(&s, buf_span(&j->in), &j->out);
}

static void job_free(void *arg)
{
    struct answer_seal_job *j = arg;
    seal_fini(&j->seal);
    buf_fini_wiped(&j->in);
    buf_fini_wiped(&j->out);
    free(j);
}

static void on_run(void *arg)
{
    struct answer_seal_job *j = arg;
    j->done(j->arg, j->is_good, &j->in, &j->out);
    job_free(j);
}

struct answer_seal_job *answer_seal_start(struct loop *l, const struct answer_seal *s, bool opens,
                                          struct buf *in, answer_seal_fn done, void *arg)
{
    struct answer_seal_job *j = xcalloc(1, sizeof *j);
    j->seal = *s->seal;
    j->id = *s->id;
    memcpy(j->print, s->print, sizeof j->print);
    j->opens = opens;
    j->in = *in;
    *in = (struct buf){0};
    j->done = done;
    j->arg = arg;
    if (buf_len(&j->in) <= OFFLOAD_FROM_BYTES) {
        run(j);
        on_run(j);
        return NULL;
    }
    j->job = offload_start_sized(l, buf_len(&j->in), run, on_run, job_free, j);
    return j;
}

void answer_seal_cancel(struct answer_seal_job *j)
{
    offload_cancel(j->job);
}
