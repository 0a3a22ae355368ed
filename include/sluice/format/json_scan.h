/* json_scan.h: where things are in a JSON text, without building a document.
 *
 * Incremental: feed any split of the text, the offsets found are the same. It checks the full
 * grammar of RFC 8259 (structure, literals, numbers, escapes, no raw control bytes in strings;
 * UTF-8 is not looked into) down to a depth limit, and reports the members of the outermost
 * object by byte offsets into the text; for those of a nested one, scan its value. Strings are
 * skipped 16 to 64 bytes at a time.
 *
 * No allocation; state is the struct, which may be copied to try ahead. */
#ifndef SLUICE_FORMAT_JSON_SCAN_H
#define SLUICE_FORMAT_JSON_SCAN_H

#include "sluice/base/span.h"

#define JSON_DEPTH_MAX 512

enum json_kind {
    JSON_OBJECT,
    JSON_ARRAY,
    JSON_STRING,
    JSON_NUMBER,
    JSON_TRUE,
    JSON_FALSE,
    JSON_NULL,
};

/* One member of the outermost object. Offsets count from the first byte ever fed. */
struct json_member {
    struct {
        size_t start, end;
    } key,     /* the key's text without its quotes, as written: escapes are not decoded */
        value; /* the value with its quotes or brackets */
    size_t comma_before, comma_after; /* offset of the comma on that side, SIZE_MAX when none */
    enum json_kind kind;
};

enum json_status {
    JSON_MORE,    /* everything fed was consumed; the text is not finished */
    JSON_MEMBER,  /* scan->member is complete; call json_scan_next with the rest again, which is
                   * not empty after the last member: its '}' is still there */
    JSON_DONE,    /* the outermost value is complete and only white space followed so far */
    JSON_INVALID, /* scan->offset is where, scan->problem says what */
};

struct json_scan {
    /* read by the caller */
    struct json_member member;
    size_t offset;       /* of the next byte to be looked at, from the first byte ever fed */
    const char *problem; /* a static phrase: "expected a colon" */
    size_t open; /* offset of the outermost value: its '{', say; SIZE_MAX before it was seen */
    size_t end;  /* offset behind the outermost value; SIZE_MAX before it was complete */
    enum json_kind root; /* valid once open is set */
    unsigned members;    /* top-level members completed so far */
    /* private */
    uint8_t state, sub;
    uint16_t depth;
    uint16_t literal_at;
    uint64_t containers[JSON_DEPTH_MAX / 64]; /* one bit a level: 1 object, 0 array */
};

void json_scan_init(struct json_scan *s);

/* Looks at `*text`, which starts at offset s->offset, and moves its start past what was consumed.
 * Stops early only with JSON_MEMBER or JSON_INVALID. At JSON_DONE trailing white space goes on
 * being accepted; anything else after the value is JSON_INVALID. */
enum json_status json_scan_next(struct json_scan *s, struct span *text);

/* Is a text that ends here complete? True at JSON_DONE, and for a bare number ("12"). */
bool json_scan_finish(struct json_scan *s);

/* --- whole texts: one pass each; who wants several members walks them with the scanner ------- */

/* The member `key` of the object in `text` (a span that holds exactly one value, white space
 * around it allowed); the last one when it is repeated. False: not an object, invalid, absent. */
bool json_get(struct span text, const char *key, struct json_member *out);
/* Its value; SPAN_NONE when there is none. */
struct span json_find(struct span text, const char *key);

/* The span of a member's value in `text`. */
static inline struct span json_value(struct span text, const struct json_member *m)
{
    return span_sub(text, m->value.start, m->value.end - m->value.start);
}

/* Walks the elements of an array value. `*cursor` starts at 0; false at the end or when the text
 * is no array. Elements are spans of `text`. */
bool json_each(struct span text, size_t *cursor, struct span *element);

/* Does a key as written (escapes included) spell `name`? Decodes escapes only when there are any. */
bool json_key_is(struct span raw_key, const char *name);

/* Decodes the string value `text` (with its quotes) into `out`; returns the length, or -1 when it
 * is no string, does not fit `size`, or holds a lone surrogate. Never more than text.len bytes. */
long json_string(struct span text, char *out, size_t size);

/* The same for the inside of a string: `raw` has no quotes around it. */
long json_unescape(struct span raw, char *out, size_t size);

bool json_u64(struct span text, uint64_t *out); /* a non-negative integer without fraction */
bool json_is_true(struct span text);

/* Is that a JSON object, all of it? */
bool json_is_object(struct span text);

/* Does a valid array have an element? Looks no further than the first byte of one. */
static inline bool json_array_is_filled(struct span text)
{
    size_t i = 1;
    while (i < text.len &&
           (text.at[i] == ' ' || text.at[i] == '\n' || text.at[i] == '\r' || text.at[i] == '\t'))
        i++;
    return i < text.len && text.at[0] == '[' && text.at[i] != ']';
}

/* The next member of that name at any depth of `*rest`, which is a JSON text: `value` is what follows its
 * colon, to the end of the text, and `*rest` moves there. `quoted` is the name with its quotes: these bytes
 * stand nowhere else but as a string, for a quote inside of one has a backslash before it. Names spelt
 * with escapes are not found. */
bool json_find_named(struct span *rest, struct span quoted, struct span *value);

#endif
