#include "record_set.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static void record_free(struct store_record *r)
{
    void *bytes = (void *)(uintptr_t)r->id.at;
    explicit_bzero(bytes, r->id.len + r->value.len);
    free(bytes);
}

void record_set_fini(struct record_set *s)
{
    for (unsigned i = 0; i < s->n; i++)
        record_free(&s->at[i]);
    free(s->at);
    *s = (struct record_set){0};
}

static int compare(struct span a, struct span b)
{
    size_t len = a.len < b.len ? a.len : b.len;
    int c = len == 0 ? 0 : memcmp(a.at, b.at, len);
    return c != 0 ? c : (a.len > b.len) - (a.len < b.len);
}

/* Where it is, or would be. Ids come in order mostly: time is in them. */
static unsigned place_of(const struct record_set *s, struct span id, bool *is_there)
{
    unsigned low = 0, high = s->n;
    *is_there = false;
    while (low < high) {
        unsigned middle = low + (high - low) / 2;
        int c = compare(s->at[middle].id, id);
        if (c < 0)
            low = middle + 1;
        else
            high = middle;
        *is_there = *is_there || c == 0;
    }
    return low;
}

static int make_room(struct record_set *s)
{
    if (s->n < s->room)
        return 0;
    unsigned room = s->room == 0 ? 16 : 2 * s->room;
    struct store_record *wider = realloc(s->at, room * sizeof *wider);
    if (wider == NULL)
        return -ENOMEM;
    s->at = wider;
    s->room = room;
    return 0;
}

int record_set_put(struct record_set *s, struct span id, struct span value)
{
    bool is_there;
    unsigned i = place_of(s, id, &is_there);
    uint8_t *bytes = malloc(id.len + value.len + 1);
    if (bytes == NULL || (!is_there && make_room(s) < 0)) {
        free(bytes);
        return -ENOMEM;
    }
    memcpy(bytes, id.at, id.len);
    if (value.len > 0)
        memcpy(bytes + id.len, value.at, value.len);
    if (is_there)
        record_free(&s->at[i]);
    else
        memmove(&s->at[i + 1], &s->at[i], (s->n++ - i) * sizeof *s->at);
    s->at[i] = (struct store_record){span_of(bytes, id.len), span_of(bytes + id.len, value.len)};
    return 0;
}

bool record_set_remove(struct record_set *s, struct span id)
{
    bool is_there;
    unsigned i = place_of(s, id, &is_there);
    if (!is_there)
        return false;
    record_free(&s->at[i]);
    memmove(&s->at[i], &s->at[i + 1], (--s->n - i) * sizeof *s->at);
    return true;
}

const struct store_record *record_set_find(const struct record_set *s, struct span id)
{
    bool is_there;
    unsigned i = place_of(s, id, &is_there);
    return is_there ? &s->at[i] : NULL;
}
