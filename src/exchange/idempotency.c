#include "idempotency.h"

#include "exchange_priv.h"

#include "sluice/codec/request_print.h"
#include "sluice/format/url.h"
#include "sluice/store/answers.h"

#include <stdio.h>

enum { KEY_MAX_BYTES = 255 };
#define KEPT_MS ((uint64_t)24 * 60 * 60 * 1000) /* contract D-48 */

/* --- the key ---------------------------------------------------------------------------------------- */

static struct fault *refusal(struct exchange *x, enum fault_kind kind, const char *text)
{
    struct fault *f = ARENA_NEW(&x->arena, struct fault);
    *f = (struct fault){.kind = kind, .param = "idempotency_key"};
    snprintf(f->message, sizeof f->message, "%s", text);
    return f;
}

static void note_key(struct exchange *x, struct span key)
{
    struct idempotency *i = x->idempotency;
    if (i == NULL)
        i = x->idempotency = ARENA_NEW(&x->arena, struct idempotency);
    if (key.len == 0 || key.len > KEY_MAX_BYTES)
        i->refusal = refusal(x, FAULT_INVALID_REQUEST,
                             "an idempotency key must have 1 to 255 bytes");
    else if (i->key.len > 0 && !span_eq(i->key, key))
        i->refusal = refusal(x, FAULT_INVALID_REQUEST,
                             "two different idempotency keys are given: in the head, and in the "
                             "body or the query");
    else if (i->key.len == 0)
        i->key = arena_keep(&x->arena, key);
}

static struct span decoded(struct exchange *x, struct span value)
{
    struct span copy = arena_keep(&x->arena, value);
    uint8_t *text = (uint8_t *)(uintptr_t)copy.at; /* ours: it was just made */
    size_t len = copy.len;
    return percent_decode(text, &len) ? span_of(text, len) : value;
}

static bool takes_key(const struct exchange *x)
{
    return x->method == METHOD_POST || x->method == METHOD_DELETE;
}

void idempotency_note_field(struct exchange *x, struct span value)
{
    if (takes_key(x))
        note_key(x, value);
}

void idempotency_note_target(struct exchange *x, struct span target)
{
    if (x->method != METHOD_DELETE)
        return;
    (void)span_cut(&target, '?');
    while (target.len > 0) {
        struct span value = span_cut(&target, '&'), name = span_cut(&value, '=');
        if (span_eq(name, SPAN_LIT("idempotency_key")))
            note_key(x, decoded(x, value));
    }
}

void idempotency_note_body(struct exchange *x, struct span key, const uint8_t print[SHA256_BYTES])
{
    if (!takes_key(x))
        return;
    if (key.at != NULL)
        note_key(x, key);
    if (x->idempotency != NULL)
        memcpy(x->idempotency->print, print, SHA256_BYTES);
}

void idempotency_read_body(struct exchange *x, struct span body)
{
    uint8_t print[SHA256_BYTES];
    char text[KEY_MAX_BYTES + 2]; /* one too long is seen to be */
    struct json_member m;
    struct span key = SPAN_NONE;
    if (!takes_key(x))
        return;
    if (json_get(body, "idempotency_key", &m) && m.kind != JSON_NULL) {
        long len = json_string(json_value(body, &m), text, sizeof text);
        key = span_of(text, len > 0 ? (size_t)len : 0);
    }
    if (key.at == NULL && x->idempotency == NULL)
        return;
    request_print(body, SPAN_NONE, PRINT_OF_REQUEST, print);
    idempotency_note_body(x, key, print);
}

/* --- whose it is -------------------------------------------------------------------------------------- */

/* Account, key, method, row, what the path names, key (contract 0.5). Nobody meets another's answers. */
static void make_id(const struct exchange *x, struct answer_id *out)
{
    const struct span parts[] = {
        span_text(x->deployment->snapshot->account.name),
        x->key != NULL ? span_text(x->key->id) : SPAN_NONE,
        span_text(http_method_name(x->method)),
        span_text(x->place),
        x->fixed_model,
        x->subject,
        x->idempotency->key,
    };
    answer_id_of(parts, sizeof parts / sizeof parts[0], out);
}

/* What is kept of the body's print tells nothing to somebody who guesses at bodies: the key is in it. */
static void make_print(const struct exchange *x, uint8_t out[ANSWER_PRINT_BYTES])
{
    const struct idempotency *i = x->idempotency;
    digest_hmac_sha256(i->key, span_of(i->print, sizeof i->print), out);
}

/* --- the answer of the store ---------------------------------------------------------------------------- */

static void fail(struct exchange *x, enum idempotency_result result, enum fault_kind kind,
                 const char *text)
{
    metric_add(x->gateway->instruments.idempotency[result], 1);
    exchange_fail(x, refusal(x, kind, text));
}

static void go_on(struct exchange *x)
{
    struct idempotency *i = x->idempotency;
    i->is_held = true;
    captured_answer_start(x);
    metric_add(x->gateway->instruments.idempotency[IDEMPOTENCY_FIRST], 1);
    i->then(x, i->problem);
}

static void give_again(struct exchange *x, struct span answer)
{
    x->idempotency->is_replayed = true;
    if (captured_answer_replay(x, answer, SPAN_LIT("Idempotency-Replayed: true\r\n")))
        metric_add(x->gateway->instruments.idempotency[IDEMPOTENCY_REPLAYED], 1);
    else
        fail(x, IDEMPOTENCY_CONFLICT, FAULT_IDEMPOTENCY_CONFLICT,
             "the answer to this key was kept by another version and cannot be read");
}

static void on_found(void *arg, const struct answer_found *found)
{
    struct exchange *x = arg;
    struct idempotency *i = x->idempotency;
    if (found->state == ANSWER_CLAIMED) {
        go_on(x);
        return;
    }
    i->claim = NULL;
    if (found->state == ANSWER_LOST)
        fail(x, IDEMPOTENCY_LOST, FAULT_OVERLOADED,
             "the store that knows idempotency keys cannot be reached, and store.on_error is "
             "reject");
    else if (!found->is_same)
        fail(x, IDEMPOTENCY_CONFLICT, FAULT_IDEMPOTENCY_CONFLICT,
             "this idempotency key was used for another request; take a new one");
    else if (found->state == ANSWER_RUNNING)
        fail(x, IDEMPOTENCY_IN_FLIGHT, FAULT_IDEMPOTENCY_IN_FLIGHT,
             "the first request with this idempotency key is still being answered; ask again "
             "later");
    else if (found->state == ANSWER_GONE)
        fail(x, IDEMPOTENCY_CONFLICT, FAULT_IDEMPOTENCY_CONFLICT,
             "a request with this idempotency key was answered, but its answer could not be kept "
             "to be given again; take a new key to have it made once more");
    else
        give_again(x, found->answer);
}

void idempotency_claim(struct exchange *x, const struct fault *problem,
                       void (*then)(struct exchange *x, const struct fault *problem))
{
    struct idempotency *i = x->idempotency;
    struct answer_id id;
    uint8_t print[ANSWER_PRINT_BYTES];
    if (i->refusal != NULL) {
        exchange_fail(x, i->refusal);
        return;
    }
    if (problem != NULL) {
        i->problem = ARENA_NEW(&x->arena, struct fault);
        *i->problem = *problem;
    }
    i->then = then;
    make_id(x, &id);
    make_print(x, print);
    i->claim = answers_claim(store_answers(x->gateway->store), &id, print, on_found, x);
}

/* --- the end -------------------------------------------------------------------------------------------- */

void idempotency_settle(struct exchange *x)
{
    struct idempotency *i = x->idempotency;
    if (i == NULL || i->claim == NULL)
        return;
    if (!i->is_held || !captured_answer_lasts(x))
        answer_claim_release(i->claim);
    else if (x->captured->is_too_large)
        answer_claim_forgo(i->claim, KEPT_MS);
    else
        answer_claim_keep(i->claim, &x->captured->bytes, KEPT_MS, x->keeps_nothing);
    i->claim = NULL;
}
