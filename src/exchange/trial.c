#include "sluice/exchange/trial.h"

#include "exchange_priv.h"

#include "sluice/base/utf8.h"
#include "sluice/catalog/facts.h"
#include "sluice/config/secret_json.h"
#include "sluice/http/sink.h"

#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

enum { PATIENCE_MS = 20000, SAID_MAX = 16 * 1024 };

struct trial {
    struct sink sink; /* first: the sink is its trial */
    struct deployment *deployment;
    const struct target *target;
    struct exchange *x; /* NULL: not begun, or over */
    struct own_keys *own_keys;
    struct buf said; /* the answer, as far as errors go */
    struct deadline deadline;
    uint64_t started_us;
    struct trial_result result;
    char error[256];
    trial_fn done;
    void *arg;
};

static const struct exchange_kind chat = {.api = API_CHAT, .label = "byok_test"};
static const struct exchange_kind embeddings = {.api = API_EMBEDDINGS, .label = "byok_test"};

/* --- which model ---------------------------------------------------------------------------------- */

static bool is_worth_asking(const struct target *t, unsigned provider)
{
    enum category c = t->model->category;
    return t->provider_index == provider && t->enabled &&
           (c == CATEGORY_LLM || c == CATEGORY_EMBEDDING);
}

/* Of one token in and one out; what has no price comes last. */
static uint64_t price_of(const struct target *t)
{
    return t->price->known == 0 ? UINT64_MAX : t->price->input + t->price->output;
}

static const struct target *cheapest(const struct deployment *d, unsigned provider)
{
    unsigned n;
    const struct target *targets = catalog_targets(d->catalog, &n), *best = NULL;
    for (unsigned i = 0; i < n; i++) {
        const struct target *t = &targets[i];
        if (is_worth_asking(t, provider) && (best == NULL || price_of(t) < price_of(best)))
            best = t;
    }
    return best;
}

/* --- the end -------------------------------------------------------------------------------------- */

static void trial_free(struct trial *t)
{
    deadline_clear(&t->deadline);
    own_keys_unref(t->own_keys);
    deployment_unref(t->deployment);
    buf_fini(&t->said);
    free(t);
}

static void on_deadline(struct deadline *d);

/* From the loop's next slot: an exchange may end within trial_start. */
static void end_soon(struct trial *t)
{
    t->x = NULL;
    t->result.latency_ms = (unsigned)((clock_us() - t->started_us) / 1000);
    deadline_set(&t->deadline, 1);
}

static void fail(struct trial *t, const char *problem)
{
    snprintf(t->error, sizeof t->error, "%s", problem);
    t->error[utf8_valid_length(span_text(t->error))] = '\0'; /* it was cut, and will be JSON */
    t->result.error = t->error;
    end_soon(t);
}

static void on_deadline(struct deadline *d)
{
    struct trial *t = (struct trial *)((char *)d - offsetof(struct trial, deadline));
    if (t->x != NULL) {
        struct exchange *x = t->x;
        t->x = NULL;
        t->sink.up->closed(x);
        fail(t, "no answer came within 20 s");
        return;
    }
    t->done(t->arg, &t->result);
    trial_free(t);
}

/* --- the sink ------------------------------------------------------------------------------------- */

static void on_sink_head(struct sink *s, const struct response_head *head)
{
    struct trial *t = (struct trial *)s;
    t->result.ok = head->status >= 200 && head->status < 300;
}

static enum flow on_sink_data(struct sink *s, const struct span *spans, unsigned n)
{
    struct trial *t = (struct trial *)s;
    for (unsigned i = 0; i < n; i++) {
        size_t room = SAID_MAX - buf_len(&t->said);
        if (buf_add(&t->said, span_sub(spans[i], 0, room)) < 0)
            break; /* what is there will do */
    }
    return FLOW_OK;
}

/* Our own words, or the provider's; the engine has taken the credential out of both. */
static void read_error(struct trial *t)
{
    struct secret_json json = secret_json_read(buf_span(&t->said));
    yyjson_val *error = yyjson_obj_get(json.root, "error");
    const char *words = yyjson_get_str(yyjson_is_str(error) ? error
                                                            : yyjson_obj_get(error, "message"));
    fail(t, words != NULL ? words : "the provider answered with an error");
    secret_json_fini(&json);
}

static void on_sink_end(struct sink *s, const struct span *last, unsigned n)
{
    struct trial *t = (struct trial *)s;
    (void)on_sink_data(s, last, n);
    t->result.status = t->x->attempt->status;
    if (t->result.ok)
        end_soon(t);
    else
        read_error(t);
}

static void on_sink_abort(struct sink *s, const char *why)
{
    struct trial *t = (struct trial *)s;
    t->result.ok = false;
    t->result.status = t->x->attempt->status;
    fail(t, why);
}

static const struct sink_ops sink_ops = {
    .head = on_sink_head,
    .data = on_sink_data,
    .end = on_sink_end,
    .abort = on_sink_abort,
};

/* --- the request ---------------------------------------------------------------------------------- */

static int write_body(const struct target *t, struct buf *out)
{
    bool is_embedding = t->model->category == CATEGORY_EMBEDDING;
    bool is_new_word = (facts_of(t) & FACT_COMPLETION_TOKENS) != 0;
    int rc = buf_add_text(out, "{\"model\":\"");
    if (rc == 0)
        rc = buf_add_json(out, t->model_id);
    if (rc == 0)
        rc = buf_add_text(out, is_embedding ? "\",\"input\":\"Hi\"}"
                               : is_new_word
                                   ? "\",\"messages\":[{\"role\":\"user\",\"content\":\"Hi\"}],"
                                     "\"max_completion_tokens\":1}"
                                   : "\",\"messages\":[{\"role\":\"user\",\"content\":\"Hi\"}],"
                                     "\"max_tokens\":1}");
    return rc;
}

static void ask(struct trial *t)
{
    static const struct http_field json = {{(const uint8_t *)"Content-Type", 12},
                                           {(const uint8_t *)"application/json", 16},
                                           FIELD_CONTENT_TYPE};
    const struct http_head head = {
        .method = METHOD_POST, .target = SPAN_LIT("/v1/byok/test"), .fields = &json, .nfields = 1};
    bool is_embedding = t->target->model->category == CATEGORY_EMBEDDING;
    struct gateway *g = t->deployment->gateway;
    struct body kept = {.budget = NULL};
    struct buf body = {0};
    if (write_body(t->target, &body) < 0) {
        fail(t, "out of memory");
        return;
    }
    t->sink.ops = &sink_ops;
    t->x = exchange_open(g, &t->sink, is_embedding ? &embeddings : &chat, &head);
    t->x->trial = t->target;
    t->x->own_keys = own_keys_ref(t->own_keys);
    t->x->own = own_keys_of(t->own_keys, NULL);
    deadline_set(&t->deadline, PATIENCE_MS);
    exchange_run(t->x, buf_span(&body), &kept);
    buf_fini(&body);
}

/* NULL, or why there is nothing to ask. */
static const char *prepare(struct trial *t, const char *provider, struct span credential)
{
    const struct snapshot *s = t->deployment->snapshot;
    unsigned i = 0;
    while (i < s->nproviders && strcmp(s->providers[i].name, provider) != 0)
        i++;
    if (i == s->nproviders)
        return "no provider of that name is configured";
    t->target = cheapest(t->deployment, i);
    if (t->target == NULL)
        return "no chat or embedding model of this provider is configured";
    t->result.model = t->target->model->id;
    return own_keys_add(t->own_keys, i, credential, OWN_MANAGED, NULL);
}

struct trial *trial_start(struct gateway *g, const char *provider, struct span credential,
                          trial_fn done, void *arg)
{
    struct trial *t = xcalloc(1, sizeof *t);
    t->deployment = deployment_ref(g->now);
    t->own_keys = own_keys_for_one(g->now);
    t->started_us = clock_us();
    t->done = done;
    t->arg = arg;
    deadline_init(&t->deadline, g->loop, on_deadline);
    const char *problem = prepare(t, provider, credential);
    if (problem != NULL)
        fail(t, problem);
    else
        ask(t);
    return t;
}

void trial_cancel(struct trial *t)
{
    struct exchange *x = t->x;
    t->x = NULL;
    if (x != NULL)
        t->sink.up->closed(x);
    trial_free(t);
}
