/* caller.h: one request at a time from the command line to a running sluice.
 *
 * A loop of its own that runs while a request is under way and stands still between them, so every
 * request has a connection of its own: one kept over a pause could be dead without anybody noticing.
 * Verbs that ask share their options: --url, --ca and the variables beside them. */
#ifndef SLUICE_APP_CALLER_H
#define SLUICE_APP_CALLER_H

#include "base_url.h"
#include "cli.h"

#include "sluice/http/head.h"

struct caller;

struct caller_request {
    const char *method, *path; /* the path as it is sent */
    const char *key;           /* Authorization: Bearer; NULL: none */
    struct span body;          /* JSON; empty: none */
    unsigned timeout_ms;       /* for all of it; 0: as long as it takes */
};

struct caller_events {
    void (*head)(void *arg, const struct http_head *head);
    /* False: enough, the connection is closed and the call ends as CALL_STOPPED. */
    bool (*data)(void *arg, struct span bytes);
};

enum call_end {
    CALL_ANSWERED,    /* a whole answer, whatever its status */
    CALL_STOPPED,     /* `data` said so */
    CALL_UNREACHABLE, /* no connection, or nothing came back over it */
    CALL_BROKEN,      /* the answer began and did not end */
};

/* From the verb's options --url and --ca. NULL when they are no good, which has then been said; the
 * verb returns *status. */
struct caller *caller_open(const struct cli *cli, int *status);
void caller_close(struct caller *c); /* NULL is fine */
const struct base_url *caller_url(const struct caller *c);
/* The URL as written, for messages. */
const char *caller_url_text(const struct caller *c);

/* Runs until the call has ended; *why is filled unless it was answered or stopped. */
enum call_end caller_ask(struct caller *c, const struct caller_request *r,
                         const struct caller_events *events, void *arg, struct err *why);

/* The whole body, when it is wanted in one piece: at most CALLER_BODY_MAX bytes, more is
 * CALL_BROKEN. *status is 0 unless there was a head. */
#define CALLER_BODY_MAX (4u << 20)
enum call_end caller_fetch(struct caller *c, const struct caller_request *r, unsigned *status,
                           struct buf *body, struct err *why);

/* A variable that holds a key: NULL when it is unset or empty. Aborts the verb by returning false when
 * it has bytes that no header may carry, which has then been said. */
bool caller_key(const char *variable, const char **key);

/* What a JSON string of an answer says, "" when it is none or does not fit; `out`. What a terminal would
 * obey is blank in it. */
const char *caller_text(struct span value, char *out, size_t size);

/* The exit code for an answer with this status that is not a success. */
int caller_exit_code(unsigned status);

#endif
