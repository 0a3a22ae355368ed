/* table_keys.c: the options of `keys` and `account`: who may call, and how much. */
#include "object.h"
#include "table_row.h"

static const struct option limits_rows[] = {
    {"rpm", &type_number, MEMBER(struct key_options, rpm), .min = 1, .doc = "Requests a minute."},
    {"tpm", &type_number, MEMBER(struct key_options, tpm), .min = 1, .inert = true,
     .doc = "Tokens a minute."},
    {"concurrency", &type_number, MEMBER(struct key_options, concurrency), .min = 1, .inert = true,
     .doc = "Requests at the same time."},
};
static const struct object limits_object = {"keys[].limits", "Left out: no such limit.",
                                            ROWS(limits_rows), .size = sizeof(struct key_options)};

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
         "(`/v1/byok`) and calls none."},
    {"pipeline", &type_text, MEMBER(struct key_options, pipeline),
     .doc =
         "With `scope: pipeline`: the model or alias it calls, whose name may stand in a path: 3 to "
         "64 letters, digits, dashes and underscores."},
    {"models", &type_texts, MEMBER(struct key_options, models),
     .doc = "Models it may call; `\"*\"` is all of them, as is leaving it out."},
    {"limits", &type_group, .object = &limits_object, .doc = "How much it may call."},
    {"expires", &type_time, MEMBER(struct key_options, expires_unix_ms),
     .doc = "When it stops working: `2030-12-31` or `2030-12-31T18:00:00Z`."},
    {"enabled", &type_bool, MEMBER(struct key_options, enabled), .fallback = "true",
     .doc = "`false` refuses it without forgetting it."},
    {"byok", &type_own_credentials, MEMBER(struct key_options, byok),
     COUNT(struct key_options, nbyok),
     .doc = "Credentials of its own, by provider: `{ openai: { env: TEAM_KEY } }`. Its requests go "
            "out with those first; [routing.md](routing.md#own-credentials) has the forms."},
};
const struct object key_object = {"keys[]", "Who may call.", ROWS(key_rows),
                                  .size = sizeof(struct key_options), .finish = key_finish};

static const struct option account_rows[] = {
    {"name", &type_text, MEMBER(struct account_options, name), .fallback = "default",
     .doc = "What it is called."},
};
const struct object account_object = {
    "account", "Whose gateway this is: all keys share its balance, its plan and its budget.",
    ROWS(account_rows), .size = sizeof(struct account_options)};
