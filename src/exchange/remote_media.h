/* remote_media.h: the files one request names by URL, got for providers that take data only.
 *
 * Each URL is got once, however often the request names it and however many attempts need it. What
 * fails has failed for the whole request. Counted: the request holds it, and so does whoever reads
 * the files on another thread. */
#ifndef SLUICE_EXCHANGE_REMOTE_MEDIA_H
#define SLUICE_EXCHANGE_REMOTE_MEDIA_H

#include "sluice/exchange/gateway.h"
#include "sluice/http/fetch.h"

#define REMOTE_FILES_MAX 20
#define REMOTE_BYTES_MAX ((uint64_t)64 << 20) /* of all files together */
#define REMOTE_BYTES_PROBLEM "with the others of this request it is larger than 64 MiB"

struct remote_media;

struct remote_file {
    struct span url;
    unsigned index;      /* below REMOTE_FILES_MAX */
    const char *problem; /* why it cannot be had, a phrase; NULL: it is here, or may come */
    bool is_crowded;     /* the problem is ours: too much is in memory already */
    struct span bytes;
    struct span type; /* its Content-Type as it came */
};

struct remote_media *remote_media_new(struct deployment *d);
struct remote_media *remote_media_ref(struct remote_media *m);
void remote_media_unref(struct remote_media *m); /* NULL is fine; the last one gives up fetches */

/* The file behind a URL, which is copied; it lives as long as `m`, and is wanted until `stop`. NULL:
 * these are too many. */
const struct remote_file *remote_media_want(struct remote_media *m, struct span url);

/* Gets what is wanted and not here. False: nothing is left to get. Else `done` follows from the loop,
 * once, when all is here or the first file has failed. */
bool remote_media_get(struct remote_media *m, void (*done)(void *arg), void *arg);
/* Nobody waits, or wants anything, any more: what is under way is given up. Idempotent. */
void remote_media_stop(struct remote_media *m);

#endif
