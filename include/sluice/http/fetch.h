/* fetch.h: gets one URL that somebody else named into memory.
 *
 * One GET without cookies, credentials or anything of a client's; public addresses only, beside the
 * networks an operator permits; redirects are followed, each looked at like the first URL, but never
 * from https to http. The answer must be a plain 200 of bounded size. No deadline of its own but
 * for the connection: whoever waits has one.
 *
 * Problems are phrases that complete "the file could not be fetched: …". They name no address and
 * quote nothing of what was read. */
#ifndef SLUICE_HTTP_FETCH_H
#define SLUICE_HTTP_FETCH_H

#include "sluice/format/url.h"
#include "sluice/http/body.h"
#include "sluice/net/tls.h"

#define FETCH_REDIRECTS_MAX 3
#define FETCH_TYPE_MAX 96

struct loop;
struct fetch;

/* Borrowed until the end of the fetch. */
struct fetch_options {
    struct tls_context *tls;
    const struct networks *beside_public;
    struct body_budget *budget; /* what is read counts there */
    uint64_t max_bytes;
    unsigned connect_timeout_ms;
};

struct fetch_result {
    const char *problem; /* NULL: here it is */
    bool is_crowded;     /* the problem is ours: too much is in memory already */
    struct body *body;   /* may be moved out */
    const char *type;    /* Content-Type as it came, "" when there was none */
};
typedef void (*fetch_fn)(void *arg, const struct fetch_result *r);

/* `done` comes once, from the loop, unless cancelled. `url` is read at once. */
struct fetch *fetch_start(struct loop *l, const struct fetch_options *o, const struct url *url,
                          fetch_fn done, void *arg);
void fetch_cancel(struct fetch *f);

#endif
