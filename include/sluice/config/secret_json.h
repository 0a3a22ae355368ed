/* secret_json.h: JSON that holds a secret, read in memory that is wiped afterwards. */
#ifndef SLUICE_CONFIG_SECRET_JSON_H
#define SLUICE_CONFIG_SECRET_JSON_H

#include "sluice/base/span.h"

#include <stdlib.h>
#include <yyjson.h>

struct secret_json {
    yyjson_val *root; /* NULL: no JSON, or no memory; asking it for members is fine */
    void *room;
    size_t size;
};

static inline struct secret_json secret_json_read(struct span text)
{
    struct secret_json j = {.size = yyjson_read_max_memory_usage(text.len, 0)};
    yyjson_alc within;
    j.room = malloc(j.size);
    if (j.room != NULL && yyjson_alc_pool_init(&within, j.room, j.size))
        j.root = yyjson_doc_get_root(
            yyjson_read_opts((char *)(uintptr_t)text.at, text.len, 0, &within, NULL));
    return j;
}

static inline void secret_json_fini(struct secret_json *j)
{
    if (j->room != NULL)
        explicit_bzero(j->room, j->size);
    free(j->room);
    *j = (struct secret_json){.root = NULL};
}

#endif
