/* table_keys.c: the options of `keys` and `account`: who may call, and how much. */
#include "object.h"
#include "table_row.h"

static const struct option limits_rows[] = {
    {"rpm", &type_number, MEMBER(struct limit_options, rpm), .min = 1, .doc = "Requests a minute."},
    {"tpm", &type_number, MEMBER(struct limit_options, tpm), .min = 1, .inert = true,
     .doc = "Tokens a minute."},
    {"concurrency", &type_number, MEMBER(struct limit_options, concurrency), .min = 1,
     .inert = true, .doc = "Requests at the same time."},
};
static const struct object limits_object = {"keys[].limits", "Left out: no such limit.",
                                            ROWS(limits_rows),
                                            .size = sizeof(struct limit_options)};

static const struct word scope_words[] = {
    {"workspace", SCOPE_WORKSPACE}, {"pipeline", SCOPE_PIPELINE}, {"admin", SCOPE_ADMIN}, {0}};

static const struct option key_rows[] = {
    {"name", &type_text, MEMBER(struct key_options, name), .required = true,
     .doc = "What logs and metrics call it."},
    {"secret", &type_key_secret, MEMBER(struct key_options, sha256),
     .doc = "The key itself. Only its SHA-256 is kept in memory."},
    {"hash", &type_key_hash, MEMBER(struct key_options, sha256),
     .doc = "Instead of `secret`: `\"sha256:…\"`, as `sluice keys hash` prints it."},
    {"scope", &type_word, MEMBER(struct key_options, scope), .words = scope_words,
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
};
const struct object account_object = {
    "account", "Whose gateway this is: all keys share its balance, its plan and its budget.",
    ROWS(account_rows), .size = sizeof(struct account_options)};
