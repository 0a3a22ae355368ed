#include "expand.h"

#include "sluice/base/buf.h"

#include <errno.h>
#include <stdlib.h>

enum { NAME_MAX_BYTES = 128, EXPANDED_MAX = 1 << 20 };

bool expand_wanted(struct span text)
{
    return span_find(text, SPAN_LIT("${")) != SIZE_MAX ||
           span_find(text, SPAN_LIT("$$")) != SIZE_MAX;
}

static bool is_name(struct span name)
{
    if (name.len == 0 || name.len > NAME_MAX_BYTES || (name.at[0] >= '0' && name.at[0] <= '9'))
        return false;
    for (size_t i = 0; i < name.len; i++) {
        uint8_t c = name.at[i];
        if (c != '_' && !(c >= '0' && c <= '9') && !((c | 0x20) >= 'a' && (c | 0x20) <= 'z'))
            return false;
    }
    return true;
}

/* `inside` is what stands between the braces. */
static int value_of(struct span inside, struct span *out, struct err *why)
{
    size_t colon = span_find(inside, SPAN_LIT(":"));
    struct span name = span_sub(inside, 0, colon == SIZE_MAX ? inside.len : colon);
    struct span otherwise = colon == SIZE_MAX ? SPAN_NONE : span_skip(inside, colon + 1);
    if (!is_name(name))
        return err_set(why, "\"${%.*s}\" does not name a variable (write $$ for a single $)",
                       SPAN_FMT(span_sub(inside, 0, 64)));
    char text[NAME_MAX_BYTES + 1];
    memcpy(text, name.at, name.len);
    text[name.len] = '\0';
    const char *value = getenv(text);
    if (value != NULL && (value[0] != '\0' || otherwise.len == 0)) {
        *out = span_text(value);
        return 0;
    }
    if (otherwise.len > 0 && otherwise.at[0] == '-') {
        *out = span_skip(otherwise, 1);
        return 0;
    }
    if (otherwise.len > 1 && otherwise.at[0] == '?')
        return err_set(why, "environment variable %s is not set: %.*s", text,
                       SPAN_FMT(span_sub(otherwise, 1, 200)));
    if (otherwise.len > 0 && otherwise.at[0] != '?')
        return err_set(why, "\"${%.*s}\": after the colon comes - or ? (${%s:-default})",
                       SPAN_FMT(span_sub(inside, 0, 64)), text);
    return err_set(why, "environment variable %s is not set (set it, or write ${%s:-default})",
                   text, text);
}

static int expand_into(struct span text, struct buf *out, struct err *why)
{
    int rc = 0;
    while (rc == 0 && text.len > 0) {
        size_t dollar = span_find(text, SPAN_LIT("$"));
        rc = buf_add(out, span_sub(text, 0, dollar));
        text = span_skip(text, dollar);
        if (rc != 0 || text.len == 0)
            break;
        if (span_starts(text, SPAN_LIT("${"))) {
            size_t end = span_find(text, SPAN_LIT("}"));
            if (end == SIZE_MAX)
                return err_set(why, "${ without } (write $$ for a single $)");
            struct span value = SPAN_NONE;
            rc = value_of(span_sub(text, 2, end - 2), &value, why);
            if (rc == 0 && value.len > EXPANDED_MAX - buf_len(out))
                return err_set(why, "larger than 1 MiB after expansion");
            if (rc == 0)
                rc = buf_add(out, value);
            text = span_skip(text, end + 1);
        } else {
            rc = buf_add(out, SPAN_LIT("$"));
            text = span_skip(text, span_starts(text, SPAN_LIT("$$")) ? 2 : 1);
        }
    }
    return rc;
}

int expand_text(struct span text, struct arena *a, struct span *out, struct err *why)
{
    if (!expand_wanted(text)) {
        *out = arena_keep(a, text);
        return 0;
    }
    if (text.len > EXPANDED_MAX)
        return err_set(why, "larger than 1 MiB");
    struct buf expanded = {0};
    int rc = expand_into(text, &expanded, why);
    if (rc == 0)
        *out = arena_keep(a, buf_span(&expanded));
    buf_fini(&expanded);
    return rc == -ENOMEM ? err_set(why, "out of memory") : rc;
}
