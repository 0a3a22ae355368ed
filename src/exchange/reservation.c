#include "reservation.h"

#include "exchange_priv.h"
#include "own_keys.h"
#include "routing.h"

#include "sluice/base/dollars.h"
#include "sluice/meter/reserve.h"

/* As many as usage is bounded to: no product of them passes what an amount holds. */
enum { TOKENS_MAX = 1000000000 };

static uint64_t at_most(uint64_t n, uint64_t most)
{
    return n < most ? n : most;
}

/* Of one answer: what was asked for; else what the endpoint can say, as far as that is reserved. */
static uint64_t answer_tokens(const struct exchange *x, const struct target *t)
{
    const struct account_options *account = &x->deployment->snapshot->account;
    uint64_t asked = x->request->asked.max_tokens;
    uint64_t most = t->max_output != 0 ? t->max_output : t->known_max_output;
    if (x->kind->api == API_EMBEDDINGS || api_is_media(x->kind->api))
        return 0;
    if (asked != 0)
        return at_most(asked, TOKENS_MAX);
    return most != 0 ? at_most(most, account->reserve_output) : account->reserve_output;
}

static uint64_t output_tokens(const struct exchange *x, const struct target *t)
{
    uint64_t answers = at_most(x->request->asked.answers, TOKENS_MAX);
    return at_most(answer_tokens(x, t) * (answers > 0 ? answers : 1), TOKENS_MAX);
}

/* Everything it may be charged for that is known before: of sound to write down, how long it is, is not. */
static struct reserve_terms terms_of(const struct exchange *x, uint64_t prompt, uint64_t output)
{
    uint64_t pictures = at_most(x->request->asked.answers, TOKENS_MAX);
    return (struct reserve_terms){
        .prompt = prompt,
        .output = output,
        .images = x->kind->api != API_IMAGES ? 0
                  : pictures > 0             ? pictures
                                             : 1,
        .characters = at_most(x->request->characters, TOKENS_MAX),
    };
}

/* The plan may still change by where the conversation was, and own credentials may come and go; who is
 * asked is one of these. */
static void consider(const struct exchange *x, const struct target *t, struct reservation *r)
{
    struct own_key *const *own = own_keys_of(x->deployment->own_keys, x->key);
    uint64_t prompt = at_most(exchange_prompt_estimate(x), TOKENS_MAX);
    uint64_t output = output_tokens(x, t);
    const struct reserve_terms terms = terms_of(x, prompt, output);
    uint64_t cost_pd = dollars_share(reserve_cost(&terms, t->price),
                                     x->deployment->snapshot->account.discount_ppm);
    if (prompt + output > r->tokens)
        r->tokens = prompt + output;
    r->least_tokens = x->request->asked.max_tokens != 0 ? r->tokens : prompt;
    if (cost_pd > r->cost_pd)
        r->cost_pd = at_most(cost_pd, DOLLARS_MAX_PD);
    r->has_own |= own != NULL && own[t->provider_index] != NULL;
}

struct reservation reservation_make(struct exchange *x)
{
    struct reservation r = {.tokens = 0};
    struct plan plan = {.n = 0};
    struct fault unused;
    if (!routing_ask(x, false, &plan, &unused))
        return r;
    for (unsigned i = 0; i < plan.n; i++)
        consider(x, plan.attempts[i].target, &r);
    return r;
}
