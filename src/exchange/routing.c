#include "routing.h"

#include "exchange_priv.h"
#include "explaining.h"
#include "journal.h"
#include "own_keys.h"

#include "sluice/admit/scope.h"

#include <stdio.h>

struct looking {
    const struct exchange *x;
    struct health_time now; /* from the first look on: a single endpoint is not looked at */
};

static void look(void *arg, const struct target *t, struct target_health *out)
{
    struct looking *l = arg;
    if (l->now.ms == 0)
        l->now = health_now();
    health_look(l->x->deployment->health, t, l->x->wants_stream, &l->now, out);
}

/* The rest can be translated; tokens are counted here where the provider has no counter. */
static bool only_passes(enum api_protocol api)
{
    return api_is_media(api) || api == API_EMBEDDINGS;
}

static bool has_own_key(void *arg, const struct target *t)
{
    const struct exchange *x = ((const struct looking *)arg)->x;
    return x->own[t->provider_index] != NULL;
}

static bool is_own_open(void *arg, const struct target *t)
{
    const struct exchange *x = ((const struct looking *)arg)->x;
    return own_key_is_open(x->own[t->provider_index], t);
}

/* From here on the table may be replaced. */
void routing_keep_own_keys(struct exchange *x)
{
    if (x->trial != NULL)
        return; /* has a table of its own */
    x->own = own_keys_of(x->deployment->own_keys, x->key);
    if (x->own != NULL)
        x->own_keys = own_keys_ref(x->deployment->own_keys);
}

static void plan_trial(struct exchange *x)
{
    x->plan.attempts = ARENA_NEW(&x->arena, struct planned_attempt);
    x->plan.attempts[0] = (struct planned_attempt){.target = x->trial, .with_own_key = true};
    x->plan.n = 1;
}

static bool is_able(void *arg, const struct target *t)
{
    const struct looking *l = arg;
    struct dialect unused;
    return dialect_choose(l->x->kind->api, t->provider, t->upstream_model, &unused);
}

/* What an answer of this kind is made of, as far as models are known to differ in it. */
static unsigned wanted_by(enum api_protocol api)
{
    switch (api) {
    case API_IMAGES:
        return MODALITY_IMAGE;
    case API_SPEECH:
        return MODALITY_AUDIO;
    case API_TRANSCRIPTIONS:
    case API_TRANSLATIONS:
        return MODALITY_TEXT;
    default:
        return 0;
    }
}

/* What the body names is what the path fixes, in other words perhaps; what either names, or a list of
 * models, is what the key is for. */
static bool check_models(const struct exchange *x, const struct preferences *p, struct fault *why)
{
    const struct catalog *c = x->deployment->catalog;
    const struct openai_request *r = x->request;
    if (x->fixed_model.len > 0 && r->named.len > 0 &&
        !scope_is_within(c, r->named, x->fixed_model)) {
        *why = (struct fault){.kind = FAULT_MODEL_NOT_FOUND, .param = "model"};
        snprintf(why->message, sizeof why->message,
                 "\"model\" is not the one this path is for; leave it out");
        return false;
    }
    if (r->model.len > 0 && !scope_check_model(x->key, c, r->model, "model", why))
        return false;
    for (unsigned i = 0; i < p->nmodels; i++) {
        if (!scope_check_model(x->key, c, p->models[i], "models", why))
            return false;
    }
    return true;
}

static bool make_question(struct exchange *x, struct looking *looking,
                          struct preferences *preferences, struct plan_question *q,
                          struct fault *why)
{
    *q = (struct plan_question){
        .catalog = x->deployment->catalog,
        .key = x->key,
        .shown = x->shown,
        .wanted = wanted_by(x->kind->api),
        .sticky = x->sticky.slug,
        .seed = rng_next(&x->gateway->rng),
        .tells_all = x->kind->explains || x->gateway->journal != NULL,
        .look = look,
        .is_able = only_passes(x->kind->api) ? is_able : NULL,
        .has_own_key = x->own != NULL ? has_own_key : NULL,
        .is_own_open = x->own != NULL ? is_own_open : NULL,
        .arg = looking,
    };
    return question_read(x->deployment->snapshot, x->request, exchange_prompt_estimate(x),
                         &x->sending, preferences, q, why) &&
           check_models(x, preferences, why);
}

static void record(struct exchange *x, const struct plan_question *q, const struct fault *why)
{
    if (x->gateway->journal == NULL)
        return;
    journal_note(x->gateway->journal, x->deployment,
                 (struct decision_note){
                     .at_unix_ms = x->opened_unix_ms,
                     .request_id = span_of(x->request_id, 32),
                     .is_stream = x->wants_stream,
                     .question = q,
                     .plan = &x->plan,
                     .why = why,
                 });
}

bool routing_plan(struct exchange *x)
{
    if (x->trial != NULL) {
        plan_trial(x);
        return true;
    }
    struct fault why;
    struct preferences preferences;
    struct plan_question q;
    struct looking looking = {.x = x};
    if (!make_question(x, &looking, &preferences, &q, &why)) {
        exchange_fail(x, &why);
        return false;
    }
    x->may_hedge = !preferences.forbids_hedge;
    x->keeps_nothing = preferences.wants_zdr || q.wants_zdr;
    x->continues = preferences.continue_streams == CONTINUE_YES ||
                   (preferences.continue_streams == CONTINUE_UNSAID &&
                    x->deployment->snapshot->routing.continues_streams);
    bool made = plan_make(&q, &x->arena, &x->sending, &x->plan, &why);
    if (x->kind->explains) {
        explaining_reply(x, &q, made ? NULL : &why);
        return false;
    }
    record(x, &q, made ? NULL : &why);
    if (!made)
        exchange_fail(x, &why);
    return made;
}

bool routing_ask(struct exchange *x, bool fits_any, struct plan *out, struct fault *why)
{
    struct preferences preferences;
    struct plan_question q;
    struct looking looking = {.x = x};
    if (!make_question(x, &looking, &preferences, &q, why))
        return false;
    if (fits_any) {
        q.used = q.shown = 0;
        q.prompt_tokens = q.max_tokens = 0;
    }
    return plan_make(&q, &x->arena, &x->sending, out, why);
}
