/* table_keys.c: the options of `keys` and `account`: who may call, and how much. */
#include "object.h"
#include "table_row.h"

static const struct option limits_rows[] = {
    {"rpm", &type_number, MEMBER(struct limit_options, rpm), .min = 1, .doc = "Requests a minute."},
    {"tpm", &type_number, MEMBER(struct limit_options, tpm), .min = 1,
     .doc = "Tokens a minute, read and written: an estimate at first, what was used in the end."},
    {"concurrency", &type_number, MEMBER(struct limit_options, concurrency), .min = 1,
     .doc = "Requests at the same time."},
    {"tasks", &type_number, MEMBER(struct limit_options, tasks), .min = 1,
     .doc = "Of those, pictures and sound."},
};
static const struct object limits_object = {
    "keys[].limits",
    "Left out: no such limit. The same keys under `account.limits`, for all keys together. "
    "[limits.md](limits.md) tells how they count.",
    ROWS(limits_rows), .size = sizeof(struct limit_options)};

static const struct option budget_rows[] = {
    {"usd", &type_dollars, MEMBER(struct budget_options, usd_pd), .required = true,
     .known_bit = BUDGET_USD, .doc = "US dollars, as decimal text: `\"100\"`."},
    {"period", &type_word, MEMBER(struct budget_options, period), .words = budget_period_words,
     .fallback = "month",
     .doc = "How long they have to last, by UTC's calendar: weeks begin on Mondays, `total` never "
            "begins anew."},
};
static const struct object budget_object = {
    "keys[].budget",
    "What may be spent. Left out: anything. The same keys under `account.budget`, for all keys "
    "together.",
    ROWS(budget_rows), .size = sizeof(struct budget_options),
    .known_offset = offsetof(struct budget_options, known)};

static const struct option key_rows[] = {
    {"name", &type_text, MEMBER(struct key_options, name), .required = true,
     .doc = "What logs and metrics call it."},
    {"secret", &type_key_secret, MEMBER(struct key_options, sha256),
     .doc = "The key itself. Only its SHA-256 is kept in memory."},
    {"hash", &type_key_hash, MEMBER(struct key_options, sha256),
     .doc = "Instead of `secret`: `\"sha256:…\"`, as `sluice keys hash` prints it."},
    {"scope", &type_word, MEMBER(struct key_options, scope), .words = key_scope_words,
     .fallback = "workspace",
     .doc =
         "What it is for: `workspace` calls models, `pipeline` calls one of them, `admin` manages "
         "(`/v1/keys`, `/v1/byok`) and calls none."},
    {"pipeline", &type_text, MEMBER(struct key_options, pipeline),
     .doc =
         "With `scope: pipeline`: the model or alias it calls, whose name may stand in a path: 3 to "
         "64 letters, digits, dashes and underscores."},
    {"models", &type_texts, MEMBER(struct key_options, models),
     .doc = "Models it may call; `\"*\"` is all of them, as is leaving it out."},
    {"limits", &type_group, MEMBER(struct key_options, limits), .object = &limits_object,
     .doc = "How much it may call."},
    {"budget", &type_group, MEMBER(struct key_options, budget), .object = &budget_object,
     .doc = "What its requests may cost."},
    {"expires", &type_time, MEMBER(struct key_options, expires_unix_ms),
     .doc = "When it stops working: `2030-12-31` or `2030-12-31T18:00:00Z`."},
    {"enabled", &type_bool, MEMBER(struct key_options, enabled), .fallback = "true",
     .doc = "`false` refuses it without forgetting it."},
    {"byok", &type_own_credentials, MEMBER(struct key_options, byok),
     COUNT(struct key_options, nbyok),
     .doc = "Credentials of its own, by provider: `{ openai: { env: TEAM_KEY } }`. Its requests go "
            "out with those first; [routing.md](routing.md#own-credentials) has the forms."},
    {"plan", &type_text, MEMBER(struct key_options, plan),
     .doc = "Whose limits it has. Left out: the account's."},
};
const struct object key_object = {"keys[]", "Who may call.", ROWS(key_rows),
                                  .size = sizeof(struct key_options), .finish = key_finish};

static const struct option topup_fee_rows[] = {
    {"percent", &type_percent, MEMBER(struct account_options, topup_fee_ppm), .fallback = "5",
     .doc = "Of the amount."},
    {"usd", &type_dollars, MEMBER(struct account_options, topup_fee_pd), .fallback = "0.35",
     .doc = "And so many dollars."},
};
static const struct object topup_fee_object = {"account.topup_fee", "Rounded up to whole cents.",
                                               ROWS(topup_fee_rows),
                                               .size = sizeof(struct account_options)};
static const struct option plan_rows[] = {
    {"access", &type_bool, MEMBER(struct plan_options, has_access), .fallback = "true",
     .doc = "`false`: every call is answered 403 `plan_required`."},
    {"rpm", &type_number, MEMBER(struct plan_options, rpm), .min = 1,
     .doc = "Requests a minute of a key that has no limit of its own. Left out: as many as "
            "`ceiling` allows."},
    {"ceiling", &type_number, MEMBER(struct plan_options, rpm_ceiling), .min = 1,
     .doc = "Requests a minute that no key goes beyond, whatever its own limit says. Left out: "
            "none."},
    {"tasks", &type_number, MEMBER(struct plan_options, tasks), .min = 1,
     .doc = "Pictures, sounds and batches under way at the same time, of all keys together. Left "
            "out: any number."},
};
const struct object plan_object = {
    "plans",
    "What a subscription includes. Four are built in: `starter` (no access), `pro` (500 requests a "
    "minute, 1000 at most, 10 tasks), `team` (5000, 10000, 50) and `enterprise` (50000, 100000, "
    "200). A plan with one of these names changes what it says and keeps the rest. Without "
    "`account.plan` nobody has a plan.",
    ROWS(plan_rows),
    .size = sizeof(struct plan_options),
    .begin = plan_begin,
    .finish = plan_finish};

static const struct option account_rows[] = {
    {"name", &type_text, MEMBER(struct account_options, name), .fallback = "default",
     .doc = "What it is called."},
    {"plan", &type_text, MEMBER(struct account_options, plan),
     .doc = "The plan of all keys that name no other: `pro`, or one of `plans`. Looked at with "
            "every request."},
    {"prepaid", &type_bool, MEMBER(struct account_options, is_prepaid), .fallback = "false",
     .doc = "`true`: requests are refused once what was credited (`sluice credit`) is spent."},
    {"discount_rate", &type_share, MEMBER(struct account_options, discount_ppm), .fallback = "1",
     .min = 1, .doc = "What every cost is multiplied by: `0.9` is ten percent off."},
    {"budget", &type_group, MEMBER(struct account_options, budget), .object = &budget_object,
     .doc = "What all requests together may cost."},
    {"limits", &type_group, MEMBER(struct account_options, limits), .object = &limits_object,
     .doc = "How much all keys together may call."},
    {"topup_url", &type_text, MEMBER(struct account_options, topup_url),
     .doc = "The page `POST /v1/account/topup` sends people to. `{amount}`, `{fee}` and `{total}` "
            "become dollars in it, `{account}` this account's name, `{id}` the request's key."},
    {"topup_fee", &type_group, .object = &topup_fee_object,
     .doc = "What paying costs on top. It is told, and charged by whoever is behind that page."},
    {"reserve_output", &type_number, MEMBER(struct account_options, reserve_output),
     .fallback = "4096", .max = 10000000,
     .doc = "Tokens that are reserved for an answer when neither the request nor the endpoint says "
            "how long it may be."},
};
const struct object account_object = {
    "account", "Whose gateway this is: all keys share its balance, its plan and its budget.",
    ROWS(account_rows), .size = sizeof(struct account_options), .finish = account_finish};
