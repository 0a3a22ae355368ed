/* A text is written anew in a form of which there is only one:
 *
 *     t f z        true, false, null
 *     #1.50;       a number, its lexeme
 *     "<n><bytes>  a string; a long one is @<its digest>
 *     [ … ]        an array
 *     {<digest>    an object: the digest of its members, each a string and a value, in the order of names
 *
 * So nothing that was written for an object stays once it is closed, and every byte is copied and hashed
 * a fixed number of times, however deep it lies. */
#include "sluice/format/json_digest.h"

#include "sluice/format/json_out.h"
#include "sluice/format/json_scan.h"

#include <stdlib.h>

enum { LONG_BYTES = 64 };

struct entry { /* offsets into `text` */
    size_t key, value, end;
};

struct level {
    bool is_object;
    size_t start;   /* in `text` */
    unsigned first; /* of its entries */
};

struct writer {
    const char *const *without;
    struct buf text, sorted;
    struct buf unescaped;
    struct entry *entries;
    unsigned nentries, room;
    struct level levels[JSON_DEPTH_MAX];
    unsigned depth;
    bool failed;
};

struct member {
    struct span key, value;
    unsigned order;
};

static void put(struct writer *w, struct buf *to, struct span s)
{
    if (buf_add(to, s) < 0)
        w->failed = true;
}

static void put_byte(struct writer *w, uint8_t byte)
{
    if (buf_add_byte(&w->text, byte) < 0)
        w->failed = true;
}

static void put_digest(struct writer *w, uint8_t kind, struct span of)
{
    uint8_t digest[SHA256_BYTES];
    digest_sha256(of, digest);
    put_byte(w, kind);
    put(w, &w->text, span_of(digest, sizeof digest));
}

/* --- strings -------------------------------------------------------------------------------------- */

/* `raw`: without quotes. What escapes stand for, or the escapes themselves where that is no text. */
static struct span meaning_of(struct writer *w, struct span raw, bool *is_text)
{
    *is_text = true;
    if (raw.len == 0 || memchr(raw.at, '\\', raw.len) == NULL)
        return raw;
    buf_clear(&w->unescaped);
    struct json_out o = json_out_to(&w->unescaped);
    *is_text = json_out_unescaped(&o, raw);
    if (o.rc < 0)
        w->failed = true;
    return *is_text ? buf_span(&w->unescaped) : raw;
}

static void put_string(struct writer *w, struct span raw)
{
    bool is_text;
    struct span s = meaning_of(w, raw, &is_text);
    if (s.len > LONG_BYTES) {
        put_digest(w, is_text ? '@' : '&', s);
        return;
    }
    put_byte(w, is_text ? '"' : '\'');
    put_byte(w, (uint8_t)s.len);
    put(w, &w->text, s);
}

/* --- objects -------------------------------------------------------------------------------------- */

static int compare(const void *left, const void *right)
{
    const struct member *a = left, *b = right;
    size_t n = a->key.len < b->key.len ? a->key.len : b->key.len;
    int c = memcmp(a->key.at, b->key.at, n);
    if (c == 0 && a->key.len != b->key.len)
        c = a->key.len < b->key.len ? -1 : 1;
    return c != 0 ? c : (a->order > b->order) - (a->order < b->order);
}

/* `key` as put_string writes it. */
static bool is_left_out(const struct writer *w, struct span key)
{
    for (const char *const *name = w->without; w->depth == 1 && *name != NULL; name++) {
        size_t len = strlen(*name);
        if (key.len == len + 2 && key.at[0] == '"' && memcmp(key.at + 2, *name, len) == 0)
            return true;
    }
    return false;
}

static void sort_members(struct writer *w, const struct level *l)
{
    unsigned n = w->nentries - l->first;
    struct member *members = n > 0 ? malloc(n * sizeof *members) : NULL;
    if (n > 0 && members == NULL) {
        w->failed = true;
        return;
    }
    struct span text = buf_span(&w->text);
    for (unsigned i = 0; i < n; i++) {
        const struct entry *e = &w->entries[l->first + i];
        members[i].key = span_sub(text, e->key, e->value - e->key);
        members[i].value = span_sub(text, e->value, e->end - e->value);
        members[i].order = i;
    }
    if (n > 1)
        qsort(members, n, sizeof *members, compare);
    buf_clear(&w->sorted);
    for (unsigned i = 0; i < n; i++) {
        if (is_left_out(w, members[i].key))
            continue;
        put(w, &w->sorted, members[i].key);
        put(w, &w->sorted, members[i].value);
    }
    free(members);
}

static void add_entry(struct writer *w)
{
    if (w->nentries == JSON_DIGEST_MEMBERS_MAX) {
        w->failed = true;
        return;
    }
    if (w->nentries == w->room) {
        unsigned room = w->room > 0 ? 2 * w->room : 32;
        struct entry *more = realloc(w->entries, room * sizeof *more);
        if (more == NULL) {
            w->failed = true;
            return;
        }
        w->entries = more;
        w->room = room;
    }
    w->entries[w->nentries++] = (struct entry){.key = buf_len(&w->text)};
}

/* A value has been written: of a member, perhaps. */
static void end_value(struct writer *w)
{
    const struct level *l = w->depth > 0 ? &w->levels[w->depth - 1] : NULL;
    if (l != NULL && l->is_object && w->nentries > l->first)
        w->entries[w->nentries - 1].end = buf_len(&w->text);
}

static void open_level(struct writer *w, bool is_object)
{
    w->levels[w->depth++] = (struct level){is_object, buf_len(&w->text), w->nentries};
    if (!is_object)
        put_byte(w, '[');
}

static void close_level(struct writer *w)
{
    const struct level l = w->levels[w->depth - 1];
    if (l.is_object) {
        sort_members(w, &l);
        w->nentries = l.first;
        w->text.tail = w->text.head + l.start;
        put_digest(w, '{', buf_span(&w->sorted));
    } else {
        put_byte(w, ']');
    }
    w->depth--;
    end_value(w);
}

/* --- the text: it is known to be JSON --------------------------------------------------------------- */

static size_t string_length(struct span s)
{
    size_t i = 1;
    while (s.at[i] != '"')
        i += s.at[i] == '\\' ? 2 : 1;
    return i + 1;
}

static bool ends_lexeme(uint8_t c)
{
    return c <= ' ' || c == ',' || c == ']' || c == '}';
}

static size_t put_lexeme(struct writer *w, struct span s)
{
    size_t n = 1;
    while (n < s.len && !ends_lexeme(s.at[n]))
        n++;
    if (s.at[0] == 't' || s.at[0] == 'f') {
        put_byte(w, s.at[0]);
    } else if (s.at[0] == 'n') {
        put_byte(w, 'z');
    } else {
        put_byte(w, '#');
        put(w, &w->text, span_sub(s, 0, n));
        put_byte(w, ';');
    }
    end_value(w);
    return n;
}

/* Where an object is open, strings are names and values in turns. */
static bool is_name(const struct writer *w)
{
    const struct level *l = w->depth > 0 ? &w->levels[w->depth - 1] : NULL;
    return l != NULL && l->is_object &&
           (w->nentries == l->first || w->entries[w->nentries - 1].end != 0);
}

static size_t take_string(struct writer *w, struct span s)
{
    size_t n = string_length(s);
    bool names = is_name(w);
    if (names)
        add_entry(w);
    put_string(w, span_sub(s, 1, n - 2));
    if (names && !w->failed)
        w->entries[w->nentries - 1].value = buf_len(&w->text);
    else if (!names)
        end_value(w);
    return n;
}

static size_t take(struct writer *w, struct span s)
{
    switch (s.at[0]) {
    case ' ':
    case '\t':
    case '\n':
    case '\r':
    case ',':
    case ':':
        return 1;
    case '{':
    case '[':
        open_level(w, s.at[0] == '{');
        return 1;
    case '}':
    case ']':
        close_level(w);
        return 1;
    case '"':
        return take_string(w, s);
    default:
        return put_lexeme(w, s);
    }
}

static bool is_json(struct span text)
{
    struct json_scan scan;
    json_scan_init(&scan);
    while (json_scan_next(&scan, &text) == JSON_MEMBER)
        continue;
    return json_scan_finish(&scan);
}

bool json_digest(struct span text, const char *const *without, uint8_t out[SHA256_BYTES])
{
    if (!is_json(text))
        return false;
    struct writer w = {.without = without};
    while (text.len > 0 && !w.failed)
        text = span_skip(text, take(&w, text));
    if (!w.failed)
        digest_sha256(buf_span(&w.text), out);
    buf_fini(&w.text);
    buf_fini(&w.sorted);
    buf_fini(&w.unescaped);
    free(w.entries);
    return !w.failed;
}
