#include "page.h"

#include "query.h"
#include "sluice/base/digest.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

enum { MARK_BYTES = 16 };

/* The master key where there is one; else what every replica of this configuration knows, too. */
static void signing_key(const struct snapshot *s, uint8_t out[SHA256_BYTES])
{
    struct buf known = {0};
    int rc = 0;
    if (s->master_keys.n > 0 && secret_is_set(&s->master_keys.at[0]))
        rc = buf_add(&known, secret_reveal(&s->master_keys.at[0]));
    else if (secret_is_set(&s->admin_token))
        rc = buf_add(&known, secret_reveal(&s->admin_token));
    for (unsigned i = 0; rc == 0 && i < s->nkeys; i++)
        rc = buf_add(&known, span_of(s->keys[i].sha256, SHA256_BYTES));
    digest_hmac_sha256(SPAN_LIT("sluice cursor"), buf_span(&known), out);
    buf_fini_wiped(&known);
}

static void sign(const struct snapshot *s, const char *list, struct span position,
                 uint8_t out[MARK_BYTES])
{
    uint8_t key[SHA256_BYTES], mark[SHA256_BYTES], text[24 + 1 + PAGE_POSITION_MAX];
    int n = snprintf((char *)text, 25, "%s", list) + 1; /* the zero byte parts the two */
    memcpy(text + n, position.at, position.len);
    signing_key(s, key);
    digest_hmac_sha256(span_of(key, sizeof key), span_of(text, (size_t)n + position.len), mark);
    memcpy(out, mark, MARK_BYTES);
}

/* In base64url: "mark position". */
void page_write_next(const struct snapshot *s, const char *list, struct span position,
                     struct json_out *o)
{
    uint8_t both[MARK_BYTES + PAGE_POSITION_MAX];
    struct buf text = {0};
    sign(s, list, position, both);
    memcpy(both + MARK_BYTES, position.at, position.len);
    if (digest_base64url(span_of(both, MARK_BYTES + position.len), &text) < 0)
        o->rc = -ENOMEM;
    json_out_lit(o, ",\"next_cursor\":");
    json_out_bytes(o, buf_span(&text));
    buf_fini(&text);
}

static bool decode(struct span cursor, struct buf *out)
{
    struct buf standard = {0};
    static const struct span padding[4] = {
        {0}, {0}, {(const uint8_t *)"==", 2}, {(const uint8_t *)"=", 1}};
    bool ok = cursor.len <= (MARK_BYTES + PAGE_POSITION_MAX) * 4 / 3 + 2 &&
              buf_add(&standard, cursor) == 0;
    for (size_t i = 0; ok && i < cursor.len; i++) {
        uint8_t *c = &standard.at[standard.head + i];
        *c = *c == '-' ? '+' : *c == '_' ? '/' : *c;
    }
    ok = ok && buf_add(&standard, padding[cursor.len % 4]) == 0 &&
         digest_unbase64(buf_span(&standard), out);
    buf_fini(&standard);
    return ok;
}

static bool read_cursor(const struct snapshot *s, const char *list, struct span cursor,
                        struct arena *a, struct span *position)
{
    uint8_t mark[MARK_BYTES];
    struct buf both = {0};
    bool is_ours = decode(cursor, &both) && buf_len(&both) > MARK_BYTES &&
                   buf_len(&both) <= MARK_BYTES + PAGE_POSITION_MAX;
    if (is_ours) {
        struct span whole = buf_span(&both);
        *position = arena_keep(a, span_skip(whole, MARK_BYTES));
        sign(s, list, *position, mark);
        is_ours = span_eq_constant_time(span_of(mark, sizeof mark), span_sub(whole, 0, MARK_BYTES));
    }
    buf_fini(&both);
    return is_ours;
}

static bool read_limit(struct span text, unsigned *out)
{
    uint64_t n;
    if (text.at == NULL)
        return true;
    if (!span_to_u64(text, &n) || n == 0)
        return false;
    *out = n < PAGE_LIMIT_MAX ? (unsigned)n : PAGE_LIMIT_MAX;
    return true;
}

bool page_read(const struct snapshot *s, const char *list, struct span query, struct arena *a,
               struct page *out, struct fault *why)
{
    struct span cursor = query_get(query, "cursor", a);
    *out = (struct page){.limit = PAGE_LIMIT};
    *why = (struct fault){.kind = FAULT_INVALID_REQUEST,
                          .param = "limit",
                          .message = "a number from 1 to 100 was expected"};
    if (!read_limit(query_get(query, "limit", a), &out->limit))
        return false;
    *why = (struct fault){.kind = FAULT_INVALID_CURSOR,
                          .param = "cursor",
                          .message = "not a cursor of this list: send next_cursor as it came"};
    return cursor.at == NULL || read_cursor(s, list, cursor, a, &out->after);
}
