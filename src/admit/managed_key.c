#include "sluice/admit/managed_key.h"

#include "record_text.h"

#include "sluice/config/key_words.h"
#include "sluice/config/secret_json.h"

#include <stdlib.h>

/* --- its secret ----------------------------------------------------------------------------------- */

void managed_key_set_secret(struct managed_key *k, struct span secret)
{
    size_t shown = secret.len < KEY_SHOWN_PREFIX ? secret.len : KEY_SHOWN_PREFIX;
    size_t end = secret.len < KEY_SHOWN_END ? secret.len : KEY_SHOWN_END;
    digest_sha256(secret, k->options.sha256);
    memcpy(k->prefix, secret.at, shown);
    k->prefix[shown] = '\0';
    memcpy(k->last4, secret.at + secret.len - end, end);
    k->last4[end] = '\0';
}

static void forget_expired(struct managed_key *k, uint64_t now_unix_ms)
{
    unsigned n = 0;
    for (unsigned i = 0; i < k->nearlier; i++) {
        if (k->earlier[i].until_unix_ms > now_unix_ms)
            k->earlier[n++] = k->earlier[i];
    }
    k->nearlier = n;
}

bool managed_key_rotate(struct managed_key *k, struct span secret, uint64_t overlap_ms,
                        uint64_t now_unix_ms)
{
    forget_expired(k, overlap_ms > 0 ? now_unix_ms : UINT64_MAX);
    if (overlap_ms > 0 && k->nearlier == KEY_EARLIER_MAX)
        return false;
    if (overlap_ms > 0) {
        struct earlier_secret *e = &k->earlier[k->nearlier++];
        memcpy(e->sha256, k->options.sha256, sizeof e->sha256);
        e->until_unix_ms = now_unix_ms + overlap_ms;
    }
    managed_key_set_secret(k, secret);
    return true;
}

/* --- reading -------------------------------------------------------------------------------------- */

static bool take_number(yyjson_val *root, const char *name, uint64_t max, uint64_t *out)
{
    yyjson_val *v = yyjson_obj_get(root, name);
    *out = yyjson_get_uint(v);
    return v == NULL || (yyjson_is_uint(v) && *out <= max);
}

static bool take_count(yyjson_val *root, const char *name, unsigned *out)
{
    uint64_t n;
    if (!take_number(root, name, UINT32_MAX, &n))
        return false;
    *out = (unsigned)n;
    return true;
}

static bool take_digest(yyjson_val *root, uint8_t out[SHA256_BYTES])
{
    yyjson_val *v = yyjson_obj_get(root, "sha256");
    return yyjson_is_str(v) &&
           digest_unhex(span_of(yyjson_get_str(v), yyjson_get_len(v)), out, SHA256_BYTES);
}

static bool take_earlier(struct managed_key *k, yyjson_val *root)
{
    yyjson_val *list = yyjson_obj_get(root, "earlier"), *v;
    size_t i, n;
    yyjson_arr_foreach(list, i, n, v)
    {
        if (k->nearlier == KEY_EARLIER_MAX)
            return false;
        struct earlier_secret *e = &k->earlier[k->nearlier++];
        if (!take_digest(v, e->sha256) || !take_number(v, "until", UINT64_MAX, &e->until_unix_ms) ||
            e->until_unix_ms == 0)
            return false;
    }
    return list == NULL || yyjson_is_arr(list);
}

static bool take_shown(yyjson_val *root, const char *name, char *out, size_t max)
{
    yyjson_val *v = yyjson_obj_get(root, name);
    size_t len = yyjson_get_len(v);
    if (!yyjson_is_str(v) || len > max)
        return false;
    memcpy(out, yyjson_get_str(v), len + 1);
    return true;
}

static bool take_reach(struct managed_key *k, yyjson_val *root)
{
    struct key_options *o = &k->options;
    yyjson_val *models = yyjson_obj_get(root, "models");
    if (!key_scope_of(yyjson_get_str(yyjson_obj_get(root, "scope")), &o->scope))
        return false;
    o->pipeline = record_text(&k->arena, root, "pipeline");
    o->models = record_texts(&k->arena, root, "models", KEY_MODELS_MAX);
    return (o->scope == SCOPE_PIPELINE) == (o->pipeline != NULL) && yyjson_is_arr(models) &&
           o->models.n > 0;
}

static bool take_budget(struct budget_options *b, yyjson_val *root)
{
    if (yyjson_obj_get(root, "budget_pd") == NULL)
        return true;
    b->known = BUDGET_USD;
    return take_number(root, "budget_pd", UINT64_MAX, &b->usd_pd) &&
           budget_period_of(yyjson_get_str(yyjson_obj_get(root, "budget_period")), &b->period);
}

static bool take_all(struct managed_key *k, yyjson_val *root)
{
    struct key_options *o = &k->options;
    o->name = record_text(&k->arena, root, "name");
    o->enabled = yyjson_get_bool(yyjson_obj_get(root, "enabled"));
    return o->name != NULL && take_digest(root, o->sha256) && take_earlier(k, root) &&
           take_shown(root, "prefix", k->prefix, KEY_SHOWN_PREFIX) &&
           take_shown(root, "last4", k->last4, KEY_SHOWN_END) && take_reach(k, root) &&
           take_number(root, "created", UINT64_MAX, &k->created_unix_ms) &&
           take_number(root, "expires", UINT64_MAX, &o->expires_unix_ms) &&
           take_count(root, "rpm", &o->limits.rpm) &&
           take_number(root, "tpm", UINT64_MAX, &o->limits.tpm) &&
           take_count(root, "concurrency", &o->limits.concurrency) && take_budget(&o->budget, root);
}

static bool is_id(struct span id)
{
    for (size_t i = 0; i < id.len; i++) {
        if (id.at[i] <= ' ' || id.at[i] >= 0x7f)
            return false;
    }
    return id.len > 0 && id.len < KEY_ID_SIZE;
}

struct managed_key *managed_key_read(struct span id, struct span record)
{
    if (!is_id(id))
        return NULL;
    struct secret_json json = secret_json_read(record);
    struct managed_key *k = xcalloc(1, sizeof *k);
    k->refs = 1;
    arena_init(&k->arena, NULL, 256);
    memcpy(k->options.id, id.at, id.len);
    bool is_whole = take_all(k, json.root);
    secret_json_fini(&json);
    if (is_whole)
        return k;
    managed_key_unref(k);
    return NULL;
}

/* --- writing -------------------------------------------------------------------------------------- */

static void write_digest(struct json_out *o, const uint8_t sha256[SHA256_BYTES])
{
    char hex[2 * SHA256_BYTES + 1];
    digest_hex(sha256, SHA256_BYTES, hex);
    json_out_lit(o, "\"sha256\":");
    json_out_bytes(o, span_text(hex));
}

static void write_earlier(struct json_out *o, const struct managed_key *k)
{
    for (unsigned i = 0; i < k->nearlier; i++) {
        json_out_span(o, i == 0 ? SPAN_LIT(",\"earlier\":[{") : SPAN_LIT(",{"));
        write_digest(o, k->earlier[i].sha256);
        record_write_number(o, "until", k->earlier[i].until_unix_ms);
        json_out_lit(o, "}");
    }
    if (k->nearlier > 0)
        json_out_lit(o, "]");
}

static void write_limit(struct json_out *o, const char *name, uint64_t n)
{
    if (n != 0)
        record_write_number(o, name, n);
}

int managed_key_write(const struct managed_key *k, struct buf *record)
{
    const struct key_options *p = &k->options;
    struct json_out o = json_out_to(record);
    json_out_lit(&o, "{");
    write_digest(&o, p->sha256);
    json_out_span(&o, p->enabled ? SPAN_LIT(",\"enabled\":true") : SPAN_LIT(",\"enabled\":false"));
    record_write_text(&o, "name", p->name);
    record_write_text(&o, "scope", key_scope_word(p->scope));
    record_write_text(&o, "pipeline", p->pipeline);
    record_write_texts(&o, "models", &p->models);
    record_write_text(&o, "prefix", k->prefix);
    record_write_text(&o, "last4", k->last4);
    record_write_number(&o, "created", k->created_unix_ms);
    write_limit(&o, "expires", p->expires_unix_ms);
    write_limit(&o, "rpm", p->limits.rpm);
    write_limit(&o, "tpm", p->limits.tpm);
    write_limit(&o, "concurrency", p->limits.concurrency);
    if (p->budget.known & BUDGET_USD) {
        record_write_number(&o, "budget_pd", p->budget.usd_pd);
        record_write_text(&o, "budget_period", budget_period_word(p->budget.period));
    }
    write_earlier(&o, k);
    json_out_lit(&o, "}");
    return o.rc;
}

/* --- life ----------------------------------------------------------------------------------------- */

struct managed_key *managed_key_ref(struct managed_key *k)
{
    k->refs++;
    return k;
}

void managed_key_unref(struct managed_key *k)
{
    if (k == NULL || --k->refs > 0)
        return;
    arena_fini(&k->arena);
    free(k);
}
