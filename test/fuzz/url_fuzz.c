/* A URL in the first line, a reference found there behind it: what is taken can stand in a request. */
#include "sluice/format/url.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool condition)
{
    if (!condition)
        abort();
}

static void check(const struct url *u)
{
    struct authority at;
    struct span target = span_text(u->target), authority = span_text(u->authority);
    must(target.len > 0 && target.at[0] == '/' && u->port != 0 && u->host[0] != '\0');
    for (size_t i = 0; i < target.len; i++)
        must(target.at[i] > ' ' && target.at[i] < 0x7f && target.at[i] != '#');
    must(authority_parse(authority, &at) == AUTHORITY_OK);
    must(span_eq(at.host, span_text(u->host)));
    must(u->port == (at.port >= 0 ? at.port : u->https ? 443 : 80));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct arena a;
    struct url base, next;
    struct span reference = span_of(data, size), text = span_cut(&reference, '\n');
    arena_init(&a, NULL, 1024);
    if (url_parse(text, &a, &base) == NULL) {
        check(&base);
        if (url_resolve(&base, reference, &a, &next) == NULL)
            check(&next);
    }
    arena_fini(&a);
    return 0;
}
