#include "sticky.h"

#include "exchange_priv.h"

#include <stdio.h>

enum { SHORT_MS = 5 * 60 * 1000, LONG_MS = 60 * 60 * 1000 }; /* as providers' caches last */

/* Whose it is, and of which model: nobody finds another's conversation by its name. */
static void make_key(struct exchange *x)
{
    uint8_t parts[KEY_ID_SIZE + 2 * SHA256_BYTES] = {0}, digest[SHA256_BYTES];
    char hex[2 * 16 + 1];
    if (x->key != NULL)
        memcpy(parts, x->key->id, strlen(x->key->id));
    digest_sha256(x->request->model, parts + KEY_ID_SIZE);
    memcpy(parts + KEY_ID_SIZE + SHA256_BYTES, x->conversation.digest, SHA256_BYTES);
    digest_sha256(span_of(parts, sizeof parts), digest);
    digest_hex(digest, 16, hex);
    snprintf(x->sticky.key, sizeof x->sticky.key, "sticky:%s", hex);
}

static bool has_choice(const struct exchange *x)
{
    struct resolution found;
    bool has = false;
    if (!catalog_resolve(x->deployment->catalog, x->request->model, &found))
        return false;
    for (unsigned i = 0; i < found.n; i++)
        has = has || found.groups[i].n > 1;
    return has;
}

static void keep(struct exchange *x, const struct value_answer *answer)
{
    if (answer->found)
        x->sticky.slug = arena_keep(&x->sending, span_sub(answer->value, 0, 256));
}

static void on_answer(void *arg, const struct value_answer *answer)
{
    struct exchange *x = arg;
    x->sticky.asking = NULL;
    keep(x, answer);
    x->sticky.then(x);
}

bool sticky_ask(struct exchange *x, void (*then)(struct exchange *x))
{
    struct value_answer answer;
    if (!x->conversation.is_known || !has_choice(x))
        return false;
    make_key(x);
    x->sticky.then = then;
    if (store_get(x->gateway->store, span_text(x->sticky.key), &answer, on_answer, x,
                  &x->sticky.asking) == STORE_PENDING)
        return true;
    keep(x, &answer);
    return false;
}

void sticky_cancel(struct exchange *x)
{
    if (x->sticky.asking != NULL)
        store_get_cancel(x->sticky.asking);
    x->sticky.asking = NULL;
}

void sticky_remember(const struct exchange *x)
{
    if (x->sticky.key[0] != '\0')
        store_put(x->gateway->store, span_text(x->sticky.key), x->attempt->target->slug,
                  x->conversation.is_long_lived ? LONG_MS : SHORT_MS);
}
