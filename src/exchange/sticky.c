#include "sticky.h"

#include "exchange_priv.h"

enum { SHORT_MS = 5 * 60 * 1000, LONG_MS = 60 * 60 * 1000 }; /* as providers' caches last */
enum { NAME_MAX_BYTES = 512, KEPT_BYTES = 16 };              /* of a model's name; of the digest */

/* Whose it is, and of which model: nobody finds another's conversation by its name. */
static void make_key(struct exchange *x)
{
    static const char prefix[] = "sticky:";
    _Static_assert(sizeof x->sticky.key >= sizeof prefix + 2 * KEPT_BYTES, "the key has room");
    uint8_t parts[KEY_ID_SIZE + SHA256_BYTES + NAME_MAX_BYTES] = {0}, digest[SHA256_BYTES];
    struct span model = span_sub(x->request->model, 0, NAME_MAX_BYTES);
    if (x->key != NULL)
        memcpy(parts, x->key->id, strlen(x->key->id));
    memcpy(parts + KEY_ID_SIZE, x->conversation.digest, SHA256_BYTES);
    memcpy(parts + KEY_ID_SIZE + SHA256_BYTES, model.at, model.len);
    digest_sha256(span_of(parts, KEY_ID_SIZE + SHA256_BYTES + model.len), digest);
    memcpy(x->sticky.key, prefix, sizeof prefix - 1);
    digest_hex(digest, KEPT_BYTES, x->sticky.key + sizeof prefix - 1);
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
    if (!x->conversation.is_known ||
        !catalog_offers_choice_of(x->deployment->catalog, x->request->model))
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
