#include "manage.h"
#include "rows.h"

#include "sluice/admit/limits.h"
#include "sluice/base/dollars.h"
#include "sluice/base/log.h"
#include "sluice/config/payment.h"
#include "sluice/format/json_out.h"

#include <stdio.h>
#include <stdlib.h>
#include <yyjson.h>

/* POST /v1/account/topup (contract ACCT-2): where to pay; whoever is paid credits the account then.
 * POST /v1/account/credit: that, for those who manage, once for each credit_id. */

enum { LEAST_USD = 5, KEY_MAX = 255, NOTE_MAX = 200 };
static const uint64_t CENT_PD = PD_PER_USD / 100;

/* What either of them is asked. Texts lie in the document. */
struct order {
    int64_t amount_pd;
    struct span key;  /* idempotency_key, credit_id; empty: none was given */
    struct span note; /* empty: none */
};

static bool refuse(struct fault *why, const char *param, const char *text)
{
    *why = (struct fault){.kind = FAULT_INVALID_REQUEST, .param = param};
    snprintf(why->message, sizeof why->message, "\"%s\" %s", param, text);
    return false;
}

/* --- what is asked --------------------------------------------------------------------------------- */

/* Of a string or a number: numbers are read as they were written, for no double holds a cent. */
static struct span text_of(yyjson_val *v)
{
    if (yyjson_is_raw(v))
        return span_of(yyjson_get_raw(v), yyjson_get_len(v));
    return yyjson_is_str(v) ? span_of(yyjson_get_str(v), yyjson_get_len(v)) : SPAN_NONE;
}

static bool take_amount(yyjson_val *root, struct order *out, struct fault *why)
{
    yyjson_val *v = yyjson_obj_get(root, "amount_usd");
    if (v == NULL)
        return refuse(why, "amount_usd", "is missing: US dollars, as 25 or \"25.50\"");
    const char *problem = dollars_read_signed(text_of(v), &out->amount_pd);
    if (problem == NULL)
        return true;
    char text[200];
    snprintf(text, sizeof text, "cannot be used: %s", problem);
    return refuse(why, "amount_usd", text);
}

static bool take_text(yyjson_val *root, const char *name, size_t least, size_t most,
                      struct span *out, struct fault *why)
{
    char text[80];
    yyjson_val *v = yyjson_obj_get(root, name);
    if (v == NULL || yyjson_is_null(v))
        return true;
    *out = span_of(yyjson_get_str(v), yyjson_get_len(v));
    if (yyjson_is_str(v) && out->len >= least && out->len <= most &&
        strlen(yyjson_get_str(v)) == out->len)
        return true;
    snprintf(text, sizeof text, "must be text of %zu to %zu bytes, none of them NUL", least, most);
    return refuse(why, name, text);
}

/* `id`: the member that names it. */
static bool take_order(yyjson_val *root, const char *id, struct order *out, struct fault *why)
{
    *out = (struct order){.amount_pd = 0};
    if (!yyjson_is_obj(root)) {
        *why = (struct fault){.kind = FAULT_INVALID_REQUEST,
                              .message = "the body must be a JSON object"};
        return false;
    }
    return take_amount(root, out, why) && take_text(root, id, 1, KEY_MAX, &out->key, why) &&
           take_text(root, "note", 0, NOTE_MAX, &out->note, why);
}

static yyjson_doc *read_order(struct span body)
{
    return yyjson_read((const char *)body.at, body.len, YYJSON_READ_NUMBER_AS_RAW);
}

static void put_member(struct json_out *o, const char *name, int64_t pd)
{
    json_out_lit(o, ",\"");
    json_out_span(o, span_text(name));
    json_out_lit(o, "\":");
    json_out_dollars(o, pd);
}

/* --- where to pay ---------------------------------------------------------------------------------- */

static bool check_topup(const struct account_options *a, const struct order *order,
                        struct fault *why)
{
    if (order->amount_pd < LEAST_USD * (int64_t)PD_PER_USD)
        return refuse(why, "amount_usd", "must be 5 dollars at least");
    if ((uint64_t)order->amount_pd % CENT_PD != 0)
        return refuse(why, "amount_usd", "must be whole cents");
    if (a->topup_url != NULL)
        return true;
    *why = (struct fault){.kind = FAULT_NO_PROVIDER};
    snprintf(why->message, sizeof why->message,
             "there is no page to pay at: account.topup_url is not configured; ask whoever runs "
             "this gateway for credit");
    return false;
}

static void reply_topup(struct exchange *x, const struct account_options *a,
                        const struct payment *p)
{
    struct buf url = {0}, out = {0};
    struct json_out o = json_out_to(&out);
    o.rc = payment_write_url(a, p, &url);
    json_out_lit(&o, "{\"checkout_url\":");
    json_out_bytes(&o, buf_span(&url));
    put_member(&o, "amount_usd", (int64_t)p->amount_pd);
    put_member(&o, "fee_usd", (int64_t)p->fee_pd);
    put_member(&o, "total_usd", (int64_t)p->total_pd);
    json_out_lit(&o, "}");
    buf_fini(&url);
    exchange_reply_made(x, 200, o.rc, &out);
}

static void take_topup(struct exchange *x, struct span body)
{
    const struct account_options *a = &exchange_deployment(x)->snapshot->account;
    yyjson_doc *doc = read_order(body);
    struct order order;
    struct fault why;
    if (take_order(yyjson_doc_get_root(doc), "idempotency_key", &order, &why) &&
        check_topup(a, &order, &why)) {
        struct span id = order.key.len > 0 ? order.key : exchange_request_id(x);
        const struct payment p = payment_of(a, (uint64_t)order.amount_pd, id);
        reply_topup(x, a, &p);
    } else {
        exchange_fail(x, &why);
    }
    yyjson_doc_free(doc);
}

/* --- crediting ------------------------------------------------------------------------------------- */

/* One request under way. */
struct crediting {
    struct exchange_hook hook; /* first */
    struct exchange *x;
    struct credit_call *call;
    int64_t amount_pd;
    char key[KEY_MAX + 1], note[NOTE_MAX + 1];
};

static void crediting_free(struct crediting *c)
{
    exchange_on_end(c->x, NULL);
    if (c->call != NULL)
        store_credit_cancel(c->call);
    free(c);
}

/* The client left: what was sent is credited all the same. */
static void on_ended(struct exchange_hook *hook)
{
    crediting_free((struct crediting *)hook);
}

static void write_credited(struct json_out *o, const struct crediting *c,
                           const struct credit_answer *a)
{
    const struct account_options *account = &exchange_deployment(c->x)->snapshot->account;
    json_out_lit(o, "{\"account_name\":");
    json_out_bytes(o, span_text(account->name));
    put_member(o, "amount_usd", c->amount_pd);
    put_member(o, "credit_balance", a->balance_pd);
    json_out_lit(o, ",\"currency\":\"USD\",\"credit_id\":");
    json_out_bytes(o, span_text(c->key));
    json_out_span(o, a->outcome == CREDIT_REPEATED ? SPAN_LIT(",\"repeated\":true}")
                                                   : SPAN_LIT(",\"repeated\":false}"));
}

static void fail_lost(struct crediting *c)
{
    struct exchange *x = c->x;
    struct fault why = {.kind = FAULT_OVERLOADED};
    snprintf(why.message, sizeof why.message,
             "the store did not answer, so nobody knows whether it was credited: ask again with "
             "\"credit_id\": \"%.255s\"",
             c->key);
    crediting_free(c);
    exchange_fail(x, &why);
}

static void log_credited(const struct crediting *c, const struct credit_answer *a)
{
    char amount[DOLLARS_TEXT_BYTES], balance[DOLLARS_TEXT_BYTES];
    const struct key_options *key = exchange_key(c->x);
    dollars_write_signed(c->amount_pd, amount);
    dollars_write_signed(a->balance_pd, balance);
    log_info("account credited", "usd=%s balance=%s by=\"%s\" id=\"%s\" note=\"%s\"", amount,
             balance, key != NULL ? key->name : "admin", c->key, c->note);
}

static void on_credited(void *arg, const struct credit_answer *a)
{
    struct crediting *c = arg;
    struct exchange *x = c->x;
    struct buf out = {0};
    struct json_out o = json_out_to(&out);
    c->call = NULL;
    if (a->outcome == CREDIT_LOST) {
        fail_lost(c);
        return;
    }
    if (a->outcome == CREDIT_DONE)
        log_credited(c, a);
    write_credited(&o, c, a);
    crediting_free(c);
    exchange_reply_made(x, 200, o.rc, &out);
}

static void credit(struct exchange *x, const struct order *order)
{
    struct crediting *c = xcalloc(1, sizeof *c);
    struct span key = order->key.len > 0 ? order->key : exchange_request_id(x);
    struct credit_answer answer;
    uint8_t digest[SHA256_BYTES];
    char id[2 * SHA256_BYTES + 1]; /* keys may be longer than the ledger's ids */
    c->hook.ended = on_ended;
    c->x = x;
    c->amount_pd = order->amount_pd;
    memcpy(c->key, key.at, key.len);
    if (order->note.len > 0)
        memcpy(c->note, order->note.at, order->note.len);
    digest_sha256(key, digest);
    digest_hex(digest, sizeof digest, id);
    exchange_on_end(x, &c->hook);
    if (store_credit(exchange_deployment(x)->gateway->store, limits_account_name, id, c->amount_pd,
                     &answer, on_credited, c, &c->call) == STORE_DONE)
        on_credited(c, &answer);
}

static void take_credit(struct exchange *x, struct span body)
{
    yyjson_doc *doc = read_order(body);
    struct order order;
    struct fault why;
    bool is_good = take_order(yyjson_doc_get_root(doc), "credit_id", &order, &why) &&
                   (order.amount_pd != 0 || refuse(&why, "amount_usd", "must not be 0"));
    if (is_good)
        credit(x, &order);
    else
        exchange_fail(x, &why);
    yyjson_doc_free(doc);
}

const struct exchange_kind account_topup = {
    .api = API_OTHER, .label = "account", .take = take_topup};
const struct exchange_kind account_credit = {
    .api = API_OTHER, .label = "account", .take = take_credit};
