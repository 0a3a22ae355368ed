/* One entry a name: its last answer, who waits for the next one, and the lookup under way. */
#include "names.h"

#include "loop_priv.h"

#include "sluice/base/arena.h"
#include "sluice/base/map.h"

#include <assert.h>
#include <stdlib.h>

#define FRESH_MS 30000
#define RETRY_MS \
    5000 /* a resolver that failed is left alone that long while an old answer serves */
#define NAMES_MAX 1024

struct lookup;

struct name {
    char *host;
    struct addresses found; /* n == 0: never resolved */
    uint64_t fresh_until_ms;
    uint64_t used_ms;
    struct ring waiters;   /* of struct names_waiter */
    struct lookup *lookup; /* NULL: none under way */
};

struct names {
    struct map by_host;
};

struct lookup { /* owns itself: libuv calls back whatever happens to the name */
    uv_getaddrinfo_t req;
    struct loop *loop;
    struct name *name; /* NULL once nobody is interested */
};

bool names_literal(const char *host, union address *out)
{
    memset(out, 0, sizeof *out);
    return uv_ip4_addr(host, 0, &out->v4) == 0 || uv_ip6_addr(host, 0, &out->v6) == 0;
}

void names_forget(struct names_waiter *w)
{
    if (ring_holds(&w->link))
        ring_remove(&w->link);
}

static void name_free(struct name *n)
{
    if (n->lookup != NULL)
        n->lookup->name = NULL;
    free(n->host);
    free(n);
}

/* The one not asked for the longest makes room, unless somebody is waiting for it. */
static void evict_one(struct names *names)
{
    size_t cursor = 0;
    struct name *oldest = NULL, *n;
    while ((n = map_next(&names->by_host, &cursor)) != NULL)
        if (ring_is_empty(&n->waiters) && (oldest == NULL || n->used_ms < oldest->used_ms))
            oldest = n;
    if (oldest == NULL)
        return;
    map_remove(&names->by_host, span_text(oldest->host));
    name_free(oldest);
}

static struct name *name_get(struct loop *l, const char *host)
{
    if (l->names == NULL)
        l->names = xcalloc(1, sizeof *l->names);
    struct name *n = map_get(&l->names->by_host, span_text(host));
    if (n != NULL)
        return n;
    if (l->names->by_host.len >= NAMES_MAX)
        evict_one(l->names);
    n = xcalloc(1, sizeof *n);
    n->host = xstrdup(host);
    ring_init(&n->waiters);
    int rc = map_put(&l->names->by_host, span_text(n->host), n);
    assert(rc == 0);
    return n;
}

/* The next address of `list` from *i on that is (or is not) IPv6, or NULL. */
static const struct addrinfo *next_of_family(const struct addrinfo **i, bool v6)
{
    const struct addrinfo *at = *i;
    while (at != NULL && (at->ai_family == AF_INET6) != v6)
        at = at->ai_next;
    *i = at == NULL ? NULL : at->ai_next;
    return at;
}

static void alternate(const struct addrinfo *list, struct addresses *out)
{
    const struct addrinfo *rest[2] = {list, list}; /* [0]: v4, [1]: v6 */
    bool v6 = list->ai_family == AF_INET6, other_ended = false;
    out->n = 0;
    while (out->n < NAME_ADDRESSES_MAX) {
        const struct addrinfo *a = next_of_family(&rest[v6], v6);
        if (a == NULL && other_ended)
            return;
        other_ended = a == NULL;
        v6 = !v6;
        if (a == NULL || a->ai_addrlen > sizeof out->at[0])
            continue;
        memset(&out->at[out->n], 0, sizeof out->at[0]);
        memcpy(&out->at[out->n++], a->ai_addr, a->ai_addrlen);
    }
}

static void on_resolved(uv_getaddrinfo_t *req, int status, struct addrinfo *list)
{
    struct lookup *k = req->data;
    struct name *n = k->name;
    struct loop *l = k->loop;
    loop_busy(l);
    free(k);
    if (n == NULL) {
        uv_freeaddrinfo(list);
        return;
    }
    n->lookup = NULL;
    if (status == 0 && list != NULL) {
        alternate(list, &n->found);
        n->fresh_until_ms = uv_now(&l->uv) + FRESH_MS;
    } else if (n->found.n > 0) {
        n->fresh_until_ms = uv_now(&l->uv) + RETRY_MS;
        status = 0; /* an old answer is better than none */
    }
    uv_freeaddrinfo(list);

    /* Those who are told may ask for other names, which may evict this one. */
    struct ring waiting;
    struct addresses found = n->found;
    ring_init(&waiting);
    ring_move(&n->waiters, &waiting);
    if (found.n == 0) {
        map_remove(&l->names->by_host, span_text(n->host));
        name_free(n);
        if (status == 0)
            status = UV_EAI_NODATA;
    }
    while (!ring_is_empty(&waiting)) {
        struct names_waiter *w = (struct names_waiter *)waiting.next;
        names_forget(w);
        w->done(w, status, &found);
    }
}

static int look_up(struct loop *l, struct name *n)
{
    const struct addrinfo hints = {.ai_socktype = SOCK_STREAM};
    struct lookup *k = xcalloc(1, sizeof *k);
    k->req.data = k;
    k->loop = l;
    k->name = n;
    int rc = uv_getaddrinfo(&l->uv, &k->req, on_resolved, n->host, NULL, &hints);
    if (rc < 0) {
        free(k);
        return rc;
    }
    n->lookup = k;
    return 0;
}

const struct addresses *names_find(struct loop *l, const char *host, struct names_waiter *w,
                                   int *status)
{
    struct name *n = name_get(l, host);
    n->used_ms = uv_now(&l->uv);
    *status = 0;
    if (n->found.n > 0 && n->used_ms < n->fresh_until_ms)
        return &n->found;
    if (n->lookup == NULL)
        *status = look_up(l, n);
    if (*status == 0)
        ring_add(&n->waiters, &w->link);
    return NULL;
}

void names_free(struct loop *l)
{
    if (l->names == NULL)
        return;
    size_t cursor = 0;
    struct name *n;
    while ((n = map_next(&l->names->by_host, &cursor)) != NULL) {
        while (!ring_is_empty(&n->waiters))
            ring_remove(n->waiters.next);
        name_free(n);
    }
    map_fini(&l->names->by_host);
    free(l->names);
    l->names = NULL;
}
