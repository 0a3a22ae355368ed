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
    bool manages; /* for those who may manage: manage.h */
};

void byok_list(const struct row *row, const struct call *call);
extern const struct exchange_kind byok_add, byok_change, byok_remove, byok_test;

void models_list(const struct row *row, const struct call *call);
void models_one(const struct row *row, const struct call *call);

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
