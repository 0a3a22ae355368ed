#include "key_request.h"

#include "fields.h"

#include "sluice/config/key_words.h"
#include "sluice/base/dollars.h"
#include "sluice/base/timestamp.h"
#include "sluice/config/pipeline.h"
#include "sluice/config/plans.h"
#include "sluice/config/secret_json.h"
#include "sluice/format/json_scan.h"

#include <stdio.h>

/* What is being read, into what. */
struct taking {
    struct managed_key *key;
    bool is_new;
    yyjson_val *root;
    struct span body;
    const struct key_terms *terms;
    struct arena *a;
    struct fault *why;
};

static yyjson_val *member(const struct taking *t, const char *name)
{
    return yyjson_obj_get(t->root, name);
}

static bool is_configured(const struct taking *t, const char *model)
{
    struct resolution found;
    return catalog_resolve(t->terms->catalog, span_text(model), &found);
}

/* --- what it is ----------------------------------------------------------------------------------- */

static bool take_name(struct taking *t)
{
    struct key_options *o = &t->key->options;
    if (!field_text(t->a, t->root, "name", KEY_NAME_MAX, &o->name, t->why))
        return false;
    if (o->name[0] != '\0')
        return true;
    return field_refuse(t->why, "name", "is missing: what lists and logs shall call the key");
}

/* Fixed at birth: who has the key counts on it. */
static bool keeps_text(struct taking *t, const char *name, const char *now)
{
    yyjson_val *v = member(t, name);
    if (v == NULL || (now == NULL && yyjson_is_null(v)) ||
        (now != NULL && yyjson_equals_str(v, now)))
        return true;
    return field_refuse(t->why, name, "cannot be changed: create another key instead");
}

static bool take_pipeline(struct taking *t)
{
    struct key_options *o = &t->key->options;
    bool is_given = member(t, "pipeline_id") != NULL && !yyjson_is_null(member(t, "pipeline_id"));
    if (o->scope != SCOPE_PIPELINE)
        return !is_given ||
               field_refuse(t->why, "pipeline_id", "the scope is another: send scope \"pipeline\"");
    if (!is_given)
        return field_refuse(t->why, "pipeline_id", "is missing: the model or alias it calls");
    if (!field_text(t->a, t->root, "pipeline_id", 64, &o->pipeline, t->why))
        return false;
    return (pipeline_is_id(span_text(o->pipeline)) && is_configured(t, o->pipeline)) ||
           field_refuse(t->why, "pipeline_id", "no pipeline has this id here");
}

static bool take_scope(struct taking *t)
{
    struct key_options *o = &t->key->options;
    if (!t->is_new)
        return keeps_text(t, "scope", key_scope_word(o->scope)) &&
               keeps_text(t, "pipeline_id", o->pipeline);
    yyjson_val *v = member(t, "scope");
    if (v != NULL && !key_scope_of(yyjson_get_str(v), &o->scope))
        return field_refuse(t->why, "scope", "workspace, pipeline or admin was expected");
    return take_pipeline(t);
}

static bool take_models(struct taking *t)
{
    struct key_options *o = &t->key->options;
    yyjson_val *list = member(t, "models"), *v;
    struct text_list models = {.at = ARENA_ARRAY(t->a, const char *, KEY_MODELS_MAX + 1)};
    size_t i, n;
    if (list == NULL)
        return true;
    if (yyjson_is_null(list))
        models.at[models.n++] = "*";
    else if (!yyjson_is_arr(list) || yyjson_arr_size(list) == 0 ||
             yyjson_arr_size(list) > KEY_MODELS_MAX)
        return field_refuse(t->why, "models",
                            "1 to %d names of models were expected, or null for all of them",
                            KEY_MODELS_MAX);
    if (o->scope == SCOPE_PIPELINE && !yyjson_is_null(list))
        return field_refuse(t->why, "models", "pipeline_id says it already: leave it out");
    yyjson_arr_foreach(list, i, n, v)
    {
        const char *name = yyjson_get_str(v);
        if (name == NULL || (strcmp(name, "*") != 0 && !is_configured(t, name)))
            return field_refuse(t->why, "models", "no model is named \"%.100s\" here",
                                name != NULL ? name : "");
        models.at[models.n++] = (const char *)arena_keep(t->a, span_text(name)).at;
    }
    o->models = models;
    return true;
}

static bool take_expiry(struct taking *t)
{
    yyjson_val *v = member(t, "expires_at");
    uint64_t at = 0;
    if (v == NULL)
        return true;
    if (!yyjson_is_null(v)) {
        const char *problem =
            yyjson_is_str(v) ? timestamp_read(span_of(yyjson_get_str(v), yyjson_get_len(v)), &at)
                             : "a time was expected (\"2030-12-31T18:00:00Z\"), or null for never";
        if (problem != NULL)
            return field_refuse(t->why, "expires_at", "%s", problem);
        if (at <= t->terms->now_unix_ms)
            return field_refuse(t->why, "expires_at",
                                "that time is over: disable or delete the key to end it now");
    }
    t->key->options.expires_unix_ms = at;
    return true;
}

/* --- how much ------------------------------------------------------------------------------------- */

/* Only what is asked for now: a key from better days stays as it is, and is held to the plan. */
static bool check_ceiling(struct taking *t, uint64_t rpm)
{
    const struct plan_options *plan = plan_of_key(t->terms->snapshot, NULL);
    if (plan == NULL || plan->rpm_ceiling == 0 || rpm <= plan->rpm_ceiling)
        return true;
    *t->why = (struct fault){.kind = FAULT_ABOVE_CEILING, .param = "rate_limit"};
    snprintf(t->why->message, sizeof t->why->message,
             "the plan %s allows a key %u requests a minute at most", plan->name,
             plan->rpm_ceiling);
    return false;
}

static bool take_limits(struct taking *t)
{
    struct limit_options *l = &t->key->options.limits;
    uint64_t rpm = l->rpm, concurrency = l->concurrency;
    if (!field_count(t->root, "rate_limit", UINT32_MAX, &rpm, t->why) ||
        !field_count(t->root, "tpm", (uint64_t)1 << 53, &l->tpm, t->why) ||
        !field_count(t->root, "concurrency", UINT32_MAX, &concurrency, t->why))
        return false;
    if (member(t, "rate_limit") != NULL && !check_ceiling(t, rpm))
        return false;
    l->rpm = (unsigned)rpm;
    l->concurrency = (unsigned)concurrency;
    return true;
}

/* By its digits, for a double is no sum of money. */
static const char *read_amount(const struct taking *t, uint64_t *out_pd)
{
    struct span lexeme = json_find(t->body, "budget_usd");
    char text[64];
    if (lexeme.len == 0 || lexeme.at[0] != '"')
        return dollars_read(lexeme, out_pd);
    long len = json_string(lexeme, text, sizeof text);
    return dollars_read(span_of(text, len < 0 ? 0 : (size_t)len), out_pd);
}

static bool take_budget(struct taking *t)
{
    struct budget_options *b = &t->key->options.budget;
    yyjson_val *amount = member(t, "budget_usd"), *period = member(t, "budget_period");
    if (yyjson_is_null(amount))
        *b = (struct budget_options){.known = 0};
    else if (amount != NULL) {
        const char *problem = read_amount(t, &b->usd_pd);
        if (problem != NULL)
            return field_refuse(t->why, "budget_usd", "%s", problem);
        if ((b->known & BUDGET_USD) == 0)
            b->period = PERIOD_MONTH; /* as in the configuration */
        b->known = BUDGET_USD;
    }
    if (period == NULL || yyjson_is_null(period))
        return true;
    if (!budget_period_of(yyjson_get_str(period), &b->period))
        return field_refuse(t->why, "budget_period", "day, week, month or total was expected");
    return (b->known & BUDGET_USD) != 0 ||
           field_refuse(t->why, "budget_period", "there is no budget: send budget_usd, too");
}

/* --- all of it ------------------------------------------------------------------------------------ */

void key_request_init(struct managed_key *k, struct arena *a)
{
    *k = (struct managed_key){.options = {.name = "", .enabled = true}};
    k->options.models.at = ARENA_NEW(a, const char *);
    k->options.models.at[0] = "*";
    k->options.models.n = 1;
}

bool key_request_take(struct managed_key *k, bool is_new, struct span body,
                      const struct key_terms *terms, struct arena *a, struct fault *why)
{
    struct secret_json json = secret_json_read(body);
    struct taking t = {k, is_new, json.root, body, terms, a, why};
    bool is_taken = yyjson_is_obj(json.root)
                        ? take_name(&t) && take_scope(&t) && take_models(&t) && take_expiry(&t) &&
                              take_limits(&t) && take_budget(&t) &&
                              field_bool(t.root, "enabled", &k->options.enabled, why)
                        : field_refuse(why, NULL, "a JSON object was expected");
    secret_json_fini(&json);
    return is_taken;
}

bool key_request_overlap(struct span body, uint64_t *out_ms, struct fault *why)
{
    struct secret_json json = secret_json_read(body);
    yyjson_val *v = yyjson_obj_get(json.root, "overlap_seconds");
    bool is_object = span_trim(body).len == 0 || yyjson_is_obj(json.root);
    bool is_given = v != NULL && !yyjson_is_null(v);
    bool is_fine = !is_given || (yyjson_is_uint(v) && yyjson_get_uint(v) <= KEY_OVERLAP_MAX_S);
    *out_ms = yyjson_get_uint(v) * 1000;
    secret_json_fini(&json);
    if (!is_object)
        return field_refuse(why, NULL, "a JSON object was expected");
    return is_fine || field_refuse(why, "overlap_seconds", "a number from 0 to %d was expected",
                                   KEY_OVERLAP_MAX_S);
}
