#include "translation.h"

#include "exchange_priv.h"

#include "sluice/base/digest.h"
#include "sluice/catalog/facts.h"
#include "sluice/codec/messages_turn.h"
#include "sluice/codec/proof.h"
#include "sluice/codec/structured_output.h"
#include "sluice/codec/token_estimate.h"
#include "sluice/net/offload.h"

#include <stdlib.h>

enum { ARENA_BLOCK = 4096 };

struct translation {
    struct attempt *a;
    struct dialect dialect;
    struct span body;
    struct wire_options options;
    struct arena arena;
    struct turn_request request;
    struct turn_notes notes;
    uint64_t prompt_tokens; /* about */
    struct buf wire;
    struct fault why;
    bool has_failed, is_signed, tells_prompt;
    uint8_t sha256[SHA256_BYTES];
    struct offload *job; /* while it is on another thread */
    struct body kept;    /* once the exchange is gone */
};

static void translate(void *arg)
{
    struct translation *t = arg;
    t->has_failed = !t->dialect.client->read(t->body, &t->options.translation, &t->arena,
                                             &t->request, &t->why);
    if (t->has_failed)
        return;
    if (t->dialect.upstream != upstream_codec_for(UPSTREAM_MESSAGES))
        messages_turn_forget_billing(&t->request);
    proof_keep(&t->request, t->dialect.upstream->family);
    t->notes = t->request.unread;
    if (t->tells_prompt)
        t->prompt_tokens = token_estimate(&t->request);
    t->has_failed = !structured_output_prepare(&t->request, &t->options,
                                               t->dialect.upstream->knows_json_object, &t->arena,
                                               &t->notes, &t->why) ||
                    !t->dialect.upstream->write(&t->request, &t->options, &t->arena, &t->wire,
                                                &t->notes, &t->why);
    if (t->is_signed && !t->has_failed)
        digest_sha256(buf_span(&t->wire), t->sha256);
}

static void free_translation(void *arg)
{
    struct translation *t = arg;
    body_fini(&t->kept);
    buf_fini(&t->wire);
    arena_fini(&t->arena);
    free(t);
}

static void on_translated(void *arg)
{
    struct translation *t = arg;
    t->job = NULL;
    attempt_translated(t->a);
}

/* Facts about the upstream and its model. */
static struct wire_options options_for(const struct attempt *a, struct arena *arena)
{
    const struct target *target = a->target;
    return (struct wire_options){
        .model = arena_keep(arena, target->upstream_model), /* the exchange may end meanwhile */
        .model_instead = span_text(a->dialect.model_instead),
        .default_max_tokens = facts_max_output(target),
        .facts = facts_of(target),
        .translation = a->x->deployment->snapshot->translation,
    };
}

void translation_start(struct attempt *a)
{
    struct translation *t = xcalloc(1, sizeof *t);
    t->a = a;
    t->dialect = a->dialect;
    t->body = buf_span(&a->x->body.bytes);
    arena_init(&t->arena, NULL, ARENA_BLOCK);
    t->options = options_for(a, &t->arena);
    t->is_signed = a->target->provider->aws.access_key != NULL;
    t->tells_prompt = a->x->kind->api == API_MESSAGES && a->x->wants_stream;
    a->translation = t;
    if (t->body.len > OFFLOAD_FROM_BYTES) {
        t->job = offload_start_sized(a->x->gateway->loop, t->body.len, translate, on_translated,
                                     free_translation, t);
    } else {
        translate(t);
        attempt_translated(a);
    }
}

void translation_end(struct translation *t)
{
    if (t == NULL)
        return;
    if (t->job == NULL) {
        free_translation(t);
        return;
    }
    body_move(&t->kept, &t->a->x->body); /* it is being read */
    offload_cancel(t->job);
}

const struct fault *translation_fault(const struct translation *t)
{
    return t->has_failed ? &t->why : NULL;
}

struct span translation_wire(const struct translation *t)
{
    return buf_span(&t->wire);
}

const uint8_t *translation_sha256(const struct translation *t)
{
    return t->sha256;
}

uint64_t translation_prompt_tokens(const struct translation *t)
{
    return t->prompt_tokens;
}

const struct turn_request *translation_request(const struct translation *t)
{
    return &t->request;
}

const struct turn_notes *translation_notes(const struct translation *t)
{
    return &t->notes;
}
