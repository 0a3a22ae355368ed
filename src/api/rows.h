/* rows.h: what a row of the table is made of, for the files that implement rows. */
#ifndef SLUICE_API_ROWS_H
#define SLUICE_API_ROWS_H

#include "sluice/api/api.h"

/* A request as the rows see it, during `open` only. */
struct call {
    struct api *api;
    struct sink *sink;
    const struct http_head *head;
    struct span path;     /* without query, alias prefix and trailing slash */
    struct span query;    /* behind the question mark */
    struct span rest;     /* what a row's wildcard matched, percent-decoded */
    struct span pipeline; /* the model a path such as /v1/my-bot/chat/completions fixes; or empty */
    struct span fields;   /* CORS lines for the answer */
};

struct row {
    enum http_method method;
    const char *path; /* its star matches anything, slashes too; rows above win */
    unsigned serves;  /* listeners that offer it: SERVES_* */
    const struct exchange_kind *kind;
    /* Answers at once; NULL: once the body is complete the kind takes it, or a provider. */
    void (*answer)(const struct row *row, const struct call *call);

    /* For GET /v1/openapi.json. Names are those of schemas in openapi.json, a media type before them
     * where it is not application/json: "ChatRequest", "multipart/form-data Upload", "audio/mpeg". */
    const char *summary; /* what it does; every row has one, and a test insists */
    const char *body;    /* what it takes; NULL: any object, or nothing with GET and DELETE */
    const char *gives;   /* what it answers; NULL: not said */
    const char *events;  /* the schema of an event's data, where it streams; NULL: it does not */

    /* Answers at /v1/{pipeline}/…, too, as all rows do that reach a provider. */
    bool takes_pipeline;
    bool manages;          /* for those who may manage: manage.h */
    bool tells_of_account; /* for those and for keys of the whole workspace */
};

/* Row by row; NULL behind the last. */
const struct row *row_at(unsigned i);

/* Does a model answer? Then the path may fix which (contract 1.2). */
static inline bool row_reaches_models(const struct row *row)
{
    return row->answer == NULL && row->kind->take == NULL;
}

/* An exchange for the record and the key; NULL when the key was refused. */
struct exchange *call_open(const struct row *row, const struct call *call);

void byok_list(const struct row *row, const struct call *call);
extern const struct exchange_kind byok_add, byok_change, byok_remove, byok_test;

extern const struct exchange_kind account_balance, account_quota, account_topup, account_credit;
void keys_list(const struct row *row, const struct call *call);
void keys_one(const struct row *row, const struct call *call);
extern const struct exchange_kind key_add, key_change, key_rotate, key_remove;
void logs_list(const struct row *row, const struct call *call);
void logs_one(const struct row *row, const struct call *call);
void logs_export(const struct row *row, const struct call *call);
void activity_show(const struct row *row, const struct call *call);
void activity_export(const struct row *row, const struct call *call);

void models_list(const struct row *row, const struct call *call);
void models_one(const struct row *row, const struct call *call);
void models_endpoints(const struct row *row, const struct call *call);
void providers_list(const struct row *row, const struct call *call);

void openapi_document(const struct row *row, const struct call *call);

void operate_live(const struct row *row, const struct call *call);
void operate_ready(const struct row *row, const struct call *call);
void operate_metrics(const struct row *row, const struct call *call);
void operate_reload(const struct row *row, const struct call *call);
void operate_status(const struct row *row, const struct call *call);
void operate_config(const struct row *row, const struct call *call);

/* An answer without an exchange: no record is written (probes, scrapes, malformed heads). */
void reply(struct sink *sink, unsigned status, const char *content_type, struct span fields,
           struct span body);

#endif
