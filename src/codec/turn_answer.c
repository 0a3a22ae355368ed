#include "sluice/codec/turn_answer.h"

#include "sluice/codec/logprobs.h"

#include <errno.h>
#include <stdlib.h>

void turn_answer_init(struct turn_answer *a, size_t bytes_max)
{
    *a = (struct turn_answer){.bytes_max = bytes_max};
}

static void block_fini(struct answer_block *b)
{
    for (unsigned i = 0; i < b->ncitations; i++) {
        buf_fini(&b->citations[i].url);
        buf_fini(&b->citations[i].title);
    }
    free(b->citations);
    buf_fini(&b->text);
    buf_fini(&b->logprobs);
    buf_fini(&b->proof);
    buf_fini(&b->id);
    buf_fini(&b->name);
}

void turn_answer_fini(struct turn_answer *a)
{
    for (unsigned i = 0; i < a->n; i++)
        block_fini(&a->blocks[i]);
    free(a->blocks);
    buf_fini(&a->native);
    buf_fini(&a->stop_text);
    *a = (struct turn_answer){.bytes_max = a->bytes_max};
}

void turn_answer_shift(struct turn_answer *a)
{
    block_fini(&a->blocks[0]);
    a->n--;
    memmove(a->blocks, a->blocks + 1, a->n * sizeof *a->blocks);
}

void turn_answer_pop(struct turn_answer *a)
{
    block_fini(&a->blocks[--a->n]);
}

/* --- blocks ------------------------------------------------------------------------------------- */

/* Slots are handed out in order, so that what lies before a lower one need not be looked at. */
static struct answer_block *find_block(struct turn_answer *a, unsigned slot, enum answer_kind kind)
{
    for (unsigned i = a->n; i > 0 && a->blocks[i - 1].slot >= slot; i--) {
        if (a->blocks[i - 1].slot == slot && a->blocks[i - 1].kind == kind)
            return &a->blocks[i - 1];
    }
    return NULL;
}

static struct answer_block *new_block(struct turn_answer *a, unsigned slot, enum answer_kind kind)
{
    if (a->n == a->room) {
        unsigned room = a->room == 0 ? 4 : a->room * 2;
        struct answer_block *grown = realloc(a->blocks, room * sizeof *grown);
        if (grown == NULL)
            return NULL;
        a->blocks = grown;
        a->room = room;
    }
    if (a->bytes > a->bytes_max)
        return NULL; /* blocks without text count as well */
    struct answer_block *b = &a->blocks[a->n++];
    *b = (struct answer_block){.kind = kind, .slot = slot};
    a->bytes += sizeof *b;
    return b;
}

static struct answer_block *block_for(struct turn_answer *a, unsigned slot, enum answer_kind kind)
{
    struct answer_block *b = find_block(a, slot, kind);
    return b != NULL ? b : new_block(a, slot, kind);
}

static int append(struct turn_answer *a, struct buf *to, struct span s)
{
    if (a->bytes + s.len > a->bytes_max)
        return -E2BIG;
    a->bytes += s.len;
    return buf_add(to, s);
}

static int add_logprobs(struct turn_answer *a, struct answer_block *b, struct span list)
{
    size_t before = buf_len(&b->logprobs);
    struct json_out o = json_out_to(&b->logprobs);
    if (list.len == 0)
        return 0;
    if (before > 0)
        json_out_lit(&o, ",");
    size_t begun = buf_len(&b->logprobs);
    logprobs_put(&o, list);
    if (buf_len(&b->logprobs) == begun)
        b->logprobs.tail = b->logprobs.head + before;
    a->bytes += buf_len(&b->logprobs) - before;
    return o.rc < 0 ? o.rc : a->bytes > a->bytes_max ? -E2BIG : 0;
}

static int add_text(struct turn_answer *a, const struct turn_event *e, enum answer_kind kind)
{
    struct answer_block *b = block_for(a, e->slot, kind);
    if (b == NULL)
        return -ENOMEM;
    b->family = e->family;
    int rc = append(a, &b->text, e->text);
    return rc == 0 ? add_logprobs(a, b, e->logprobs) : rc;
}

static int add_proof(struct turn_answer *a, const struct turn_event *e)
{
    struct answer_block *b = block_for(a, e->slot, ANSWER_REASONING);
    if (b == NULL)
        return -ENOMEM;
    buf_clear(&b->proof); /* a later one replaces it */
    buf_clear(&b->id);
    b->family = e->family;
    b->is_of_call = e->is_of_call;
    int rc = append(a, &b->proof, e->text);
    return rc == 0 ? append(a, &b->id, e->id) : rc;
}

static int add_call(struct turn_answer *a, const struct turn_event *e)
{
    if (find_block(a, e->slot, ANSWER_CALL) != NULL)
        return 0; /* it has begun already */
    struct answer_block *b = new_block(a, e->slot, ANSWER_CALL);
    if (b == NULL)
        return -ENOMEM;
    b->is_custom = e->is_custom;
    int rc = append(a, &b->id, e->id);
    return rc == 0 ? append(a, &b->name, e->name) : rc;
}

static int add_arguments(struct turn_answer *a, const struct turn_event *e)
{
    struct answer_block *b = find_block(a, e->slot, ANSWER_CALL);
    return b == NULL ? 0 : append(a, &b->text, e->text);
}

static int end_call(struct turn_answer *a, const struct turn_event *e)
{
    struct answer_block *b = find_block(a, e->slot, ANSWER_CALL);
    if (b != NULL)
        b->has_ended = true;
    return 0;
}

static int add_citation(struct turn_answer *a, const struct turn_event *e)
{
    struct answer_block *b = find_block(a, e->slot, ANSWER_TEXT);
    if (b == NULL)
        return 0;
    struct answer_citation *grown = realloc(b->citations, (b->ncitations + 1) * sizeof *grown);
    if (grown == NULL)
        return -ENOMEM;
    b->citations = grown;
    struct answer_citation *c = &b->citations[b->ncitations++];
    *c = (struct answer_citation){.url = {NULL}};
    a->bytes += sizeof *c;
    int rc = append(a, &c->url, e->citation.url);
    return rc == 0 ? append(a, &c->title, e->citation.title) : rc;
}

static int set_stop(struct turn_answer *a, const struct turn_event *e)
{
    a->has_stopped = true;
    a->stop = e->stop;
    buf_clear(&a->native);
    buf_clear(&a->stop_text);
    int rc = append(a, &a->native, e->native);
    return rc == 0 ? append(a, &a->stop_text, e->text) : rc;
}

int turn_answer_add(struct turn_answer *a, const struct turn_event *e)
{
    switch (e->kind) {
    case TURN_TEXT:
        return add_text(a, e, ANSWER_TEXT);
    case TURN_REFUSAL:
        return add_text(a, e, ANSWER_REFUSAL);
    case TURN_REASONING:
        return add_text(a, e, ANSWER_REASONING);
    case TURN_REDACTED:
        return add_text(a, e, ANSWER_REDACTED);
    case TURN_PROOF:
        return add_proof(a, e);
    case TURN_CALL:
        return add_call(a, e);
    case TURN_ARGUMENTS:
        return add_arguments(a, e);
    case TURN_CALL_END:
        return end_call(a, e);
    case TURN_CITATION:
        return add_citation(a, e);
    case TURN_STOP:
        return set_stop(a, e);
    case TURN_USAGE:
        a->usage = *e->usage;
        return 0;
    case TURN_START:
    case TURN_END:
    case TURN_FAULT:
        return 0;
    }
    return 0;
}

enum turn_stop turn_answer_stop(const struct turn_answer *a)
{
    if (a->has_stopped && a->stop != STOP_NONE && a->stop != STOP_END)
        return a->stop;
    for (unsigned i = 0; i < a->n; i++) {
        if (a->blocks[i].kind == ANSWER_CALL)
            return STOP_CALLS;
    }
    for (unsigned i = 0; i < a->n; i++) {
        if (a->blocks[i].kind == ANSWER_REFUSAL)
            return STOP_REFUSAL;
    }
    return STOP_END;
}
