#include "translation.h"

#include "exchange_priv.h"
#include "signature.h"

#include "sluice/base/digest.h"
#include "sluice/catalog/facts.h"
#include "sluice/codec/media_type.h"
#include "sluice/codec/messages_turn.h"
#include "sluice/codec/proof.h"
#include "sluice/codec/structured_output.h"
#include "sluice/codec/token_count.h"
#include "sluice/codec/turn_media.h"
#include "sluice/codec/turn_prefill.h"
#include "sluice/net/offload.h"

#include <stdio.h>
#include <stdlib.h>

/*   READING ──▶ WRITING ──▶ through
 *      └──▶ FETCHING ──▲      when the request names files that the upstream wants as data
 *
 * Reading and writing are work for another thread when there is much of it; in between the loop
 * fetches. */

enum {
    ARENA_BLOCK = 4096,
    PARTS_MAX = 1000, /* that show files by URL */
};

enum step { READING, FETCHING, WRITING };

struct translation {
    struct attempt *a;
    struct dialect dialect;
    enum step step;
    struct span body;
    struct wire_options options;
    struct json_splice splice; /* where the body stays the client's */
    struct arena arena;
    unsigned unwanted; /* parameters that the upstream does not take */
    struct turn_request request;
    struct turn_notes notes;
    uint64_t prompt_tokens; /* about */
    struct buf wire;
    struct fault why;
    bool has_failed, is_signed, tells_prompt, fetches;
    bool goes_on;          /* with an answer that another provider began */
    struct span begun;     /* what is shown of it, in the arena */
    uint64_t begun_tokens; /* about, of what was written */
    uint8_t sha256[SHA256_BYTES];
    struct turn_media missing;
    const struct remote_file **files;    /* of the missing parts, one each; in the arena */
    struct remote_media *media;          /* whose files they are; NULL: none is missing */
    struct buf base64[REMOTE_FILES_MAX]; /* of each file */
    struct offload *job;                 /* while it is on another thread */
    struct body kept;                    /* once the exchange is gone */
};

/* --- on any thread -------------------------------------------------------------------------------- */

/* Whose proofs the model can check. Gemini's come from Chat upstreams, too, and go back there. */
static struct span family_of(const struct translation *t)
{
    bool is_gemini = t->dialect.upstream == upstream_codec_for(UPSTREAM_CHAT) &&
                     (t->options.facts & FACT_THOUGHT_SIGNATURES) != 0;
    return is_gemini ? PROOF_GEMINI : t->dialect.upstream->family;
}

static void read_request(struct translation *t)
{
    t->has_failed = !t->dialect.client->read(t->body, &t->options.translation, &t->arena,
                                             &t->request, &t->why);
    if (t->has_failed)
        return;
    if (t->dialect.upstream != upstream_codec_for(UPSTREAM_MESSAGES))
        messages_turn_forget_billing(&t->request);
    proof_keep(&t->request, family_of(t));
    t->has_failed = t->goes_on &&
                    !turn_prefill_add(&t->request, &t->arena, t->begun, t->begun_tokens, &t->why);
    t->notes = t->request.unread;
    turn_request_leave_out(&t->request, t->unwanted, &t->notes);
    if (t->fetches)
        t->missing = turn_media_missing(&t->request, t->dialect.upstream, &t->options, &t->arena);
}

static bool inline_one(struct translation *t, unsigned i)
{
    struct turn_part *p = t->missing.parts[i];
    const struct remote_file *file = t->files[i];
    struct buf *base64 = &t->base64[file->index];
    const char *problem;
    struct span type = media_type_of_file(p->kind, file->type, file->bytes, &problem);
    if (type.len == 0)
        return turn_refuse(&t->why, FAULT_INVALID_REQUEST, p->path, "%s", problem);
    if (buf_len(base64) == 0 && digest_base64(file->bytes, base64) < 0) {
        t->why = (struct fault){.kind = FAULT_OVERLOADED, .message = "out of memory"};
        return false;
    }
    turn_media_inline(p, type, buf_span(base64));
    return true;
}

static bool write_anew(struct translation *t)
{
    for (unsigned i = 0; i < t->missing.n; i++) {
        if (!inline_one(t, i))
            return false;
    }
    if (t->tells_prompt)
        t->prompt_tokens = token_count(&t->request, NULL).tokens;
    return structured_output_prepare(&t->request, &t->options,
                                     t->dialect.upstream->knows_json_object, &t->arena, &t->notes,
                                     &t->why) &&
           t->dialect.upstream->write(&t->request, &t->options, &t->arena, &t->wire, &t->notes,
                                      &t->why);
}

/* The client's own bytes but for a few edits, in one piece. */
static bool lay_out(struct translation *t)
{
    struct span spans[2 * SPLICE_EDITS_MAX + 1];
    size_t total;
    unsigned n = splice_spans(&t->splice, t->body, spans, &total);
    bool is_laid = buf_reserve_exact(&t->wire, total) == 0;
    for (unsigned i = 0; is_laid && i < n; i++)
        is_laid = buf_add(&t->wire, spans[i]) == 0;
    if (!is_laid)
        t->why = (struct fault){.kind = FAULT_OVERLOADED, .message = "out of memory"};
    return is_laid;
}

static void write_request(struct translation *t)
{
    t->has_failed = t->dialect.upstream != NULL ? !write_anew(t) : !lay_out(t);
    if (t->is_signed && !t->has_failed)
        digest_sha256(buf_span(&t->wire), t->sha256);
}

static void work(void *arg)
{
    struct translation *t = arg;
    if (t->step == READING && t->dialect.upstream != NULL)
        read_request(t);
    if (t->has_failed || (t->step == READING && t->missing.n > 0))
        return;
    write_request(t);
    t->step = WRITING;
}

static void free_translation(void *arg)
{
    struct translation *t = arg;
    for (unsigned i = 0; i < REMOTE_FILES_MAX; i++)
        buf_fini(&t->base64[i]);
    remote_media_unref(t->media);
    body_fini(&t->kept);
    buf_fini(&t->wire);
    arena_fini(&t->arena);
    free(t);
}

/* --- on the loop ---------------------------------------------------------------------------------- */

static void next_step(struct translation *t);

static void on_worked(void *arg)
{
    struct translation *t = arg;
    t->job = NULL;
    next_step(t);
}

static void start_work(struct translation *t, uint64_t size)
{
    if (size > OFFLOAD_FROM_BYTES) {
        t->job = offload_start_sized(t->a->x->gateway->loop, size, work, on_worked,
                                     free_translation, t);
    } else {
        work(t);
        next_step(t);
    }
}

static bool refuse_file(struct translation *t, unsigned i, const char *problem, bool is_crowded)
{
    struct span path = t->missing.parts[i]->path;
    t->has_failed = true;
    if (is_crowded)
        t->why = (struct fault){.kind = FAULT_OVERLOADED};
    if (is_crowded)
        snprintf(t->why.message, sizeof t->why.message, "%s", problem);
    else
        turn_refuse(&t->why, FAULT_INVALID_REQUEST, path, "its URL could not be fetched: %s",
                    problem);
    return false;
}

static bool want_files(struct translation *t)
{
    t->files = ARENA_ARRAY(&t->arena, const struct remote_file *, t->missing.n);
    for (unsigned i = 0; i < t->missing.n; i++) {
        struct span url = turn_media_url(t->missing.parts[i], &t->arena);
        const struct remote_file *file = t->files[i] = remote_media_want(t->media, url);
        if (file == NULL || i == PARTS_MAX)
            return refuse_file(t, i, "the request names too many files by URL", false);
        if (file->problem != NULL)
            return refuse_file(t, i, file->problem, file->is_crowded);
    }
    return true;
}

/* What is shown twice is sent twice. */
static bool check_files(struct translation *t, uint64_t *size)
{
    *size = 0;
    for (unsigned i = 0; i < t->missing.n; i++) {
        const struct remote_file *file = t->files[i];
        if (file->problem != NULL)
            return refuse_file(t, i, file->problem, file->is_crowded);
        *size += file->bytes.len;
        if (*size > REMOTE_BYTES_MAX)
            return refuse_file(t, i, REMOTE_BYTES_PROBLEM, false);
    }
    return true;
}

static void on_files(void *arg)
{
    struct translation *t = arg;
    uint64_t size;
    t->step = WRITING;
    if (check_files(t, &size))
        start_work(t, t->body.len + size);
    else
        attempt_translated(t->a);
}

static void fetch(struct translation *t)
{
    struct exchange *x = t->a->x;
    t->step = FETCHING;
    if (x->media == NULL)
        x->media = remote_media_new(x->deployment);
    t->media = remote_media_ref(x->media);
    if (!want_files(t))
        attempt_translated(t->a);
    else if (!remote_media_get(t->media, on_files, t))
        on_files(t);
}

/* What is fetched is translated on another thread, which would take the body along when a rival is
 * cancelled. */
static void refuse_rival(struct translation *t)
{
    t->has_failed = true;
    t->why = (struct fault){.kind = FAULT_UNSUPPORTED_PARAMETER,
                            .message = "nothing is fetched for a second attempt"};
    attempt_translated(t->a);
}

static void next_step(struct translation *t)
{
    if (t->step != READING || t->has_failed)
        attempt_translated(t->a);
    else if (t->a == t->a->x->rival)
        refuse_rival(t);
    else
        fetch(t);
}

/* Facts about the upstream and its model. */
static struct wire_options options_for(const struct attempt *a, struct arena *arena)
{
    const struct target *target = a->target;
    return (struct wire_options){
        .model = arena_keep(arena, target->upstream_model), /* the exchange may end meanwhile */
        .model_instead = arena_keep(arena, a->instead),
        .streams_by_path = a->dialect.invokes,
        .default_max_tokens = facts_max_output(target),
        .facts = facts_of(target),
        .translation = a->x->deployment->snapshot->translation,
        .takes_youtube = target->provider->protocol == PROTOCOL_GEMINI,
    };
}

/* The edits are found on the loop, for the request they are made of is the exchange's. */
static void plan_splice(struct translation *t)
{
    struct openai_wanted wanted = attempt_wanted(t->a);
    wanted.instead = arena_keep(&t->arena, wanted.instead);
    openai_request_splice(t->a->x->request, t->body, &wanted, &t->arena, &t->splice);
}

void translation_start(struct attempt *a)
{
    struct translation *t = xcalloc(1, sizeof *t);
    t->a = a;
    t->dialect = a->dialect;
    t->body = buf_span(&a->x->body.bytes);
    t->unwanted = a->unwanted;
    arena_init(&t->arena, NULL, ARENA_BLOCK);
    if (t->dialect.upstream != NULL)
        t->options = options_for(a, &t->arena);
    else
        plan_splice(t);
    t->goes_on = continuation_has_text(a->x);
    if (t->goes_on) {
        t->begun = arena_keep(&t->arena, continuation_text(a->x));
        t->begun_tokens = continuation_tokens(a->x);
    }
    t->is_signed = signature_is_due(a->provider->options);
    t->tells_prompt = a->x->kind->api == API_MESSAGES && a->x->wants_stream;
    t->fetches = a->x->deployment->snapshot->server.fetch.enabled;
    a->translation = t;
    start_work(t, t->body.len);
}

void translation_end(struct translation *t)
{
    if (t == NULL)
        return;
    if (t->step == FETCHING)
        remote_media_stop(t->media);
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

bool translation_may_do_elsewhere(const struct translation *t)
{
    return t->why.kind == FAULT_UNSUPPORTED_PARAMETER || t->missing.n > 0;
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
