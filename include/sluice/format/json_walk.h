/* json_walk.h: the members of one object after another, as spans of its text.
 *
 * For whole texts that are read once from front to back; json_scan.h is for those that arrive in
 * pieces. A walk looks at the bytes of the object once; nested values are walked by another walk over
 * their value. No allocation, no recursion: depth is bounded by JSON_DEPTH_MAX. */
#ifndef SLUICE_FORMAT_JSON_WALK_H
#define SLUICE_FORMAT_JSON_WALK_H

#include "sluice/format/json_scan.h"

struct json_walk {
    /* the member json_walk_next reported */
    struct span key;   /* as written, without quotes; compare with json_walk_is */
    struct span value; /* the whole value as written: a lexeme */
    enum json_kind kind;
    /* private */
    struct json_scan scan;
    struct span text, rest;
    bool is_valid;
};

/* `object`: exactly one JSON value, white space around it allowed. */
void json_walk_init(struct json_walk *w, struct span object);

/* False at the end: of the object, at its first mistake, or at once when it is no object. */
bool json_walk_next(struct json_walk *w);

/* After json_walk_next said false: was it a whole, valid object? */
static inline bool json_walk_is_complete(const struct json_walk *w)
{
    return w->is_valid;
}

/* Is this the member `name`? Asked often, with a literal: only a key that is longer can still be the
 * name with escapes. */
static inline bool json_walk_is(const struct json_walk *w, const char *name)
{
    size_t n = strlen(name);
    return w->key.len > n ? json_key_is(w->key, name) : span_eq(w->key, span_of(name, n));
}

/* Are all members null or empty, but for the one of that name? False for what is no object. */
bool json_is_empty_but_for(struct span object, const char *name);

/* The inside of a string value, escapes as written; empty for what is no string. */
static inline struct span json_raw(struct span value)
{
    return value.len >= 2 && value.at[0] == '"' ? span_sub(value, 1, value.len - 2) : SPAN_NONE;
}

#endif
