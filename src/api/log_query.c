#include "log_query.h"

#include "query.h"
#include "sluice/base/timestamp.h"

#include <stdio.h>

struct fault log_fault(enum fault_kind kind, const char *param, const char *text)
{
    struct fault why = {.kind = kind, .param = param};
    snprintf(why.message, sizeof why.message, "%s", text);
    return why;
}

/* Left out, or without a value. */
static bool is_absent(struct span value)
{
    return value.at == NULL || value.len == 0;
}

int log_query_word(struct span query, const char *name, const char *const *words, unsigned nwords,
                   int otherwise, struct arena *a, struct fault *why)
{
    struct span value = query_get(query, name, a);
    char list[160];
    size_t len = 0;
    if (is_absent(value))
        return otherwise;
    for (unsigned i = 0; i < nwords; i++) {
        if (span_eq(value, span_text(words[i])))
            return (int)i;
        int n = snprintf(list + len, sizeof list - len, "%s%s", i > 0 ? ", " : "", words[i]);
        len += n > 0 && (size_t)n < sizeof list - len ? (size_t)n : 0;
    }
    *why = (struct fault){.kind = FAULT_INVALID_REQUEST, .param = name};
    snprintf(why->message, sizeof why->message, "%s is one of: %.*s", name, (int)len, list);
    return -1;
}

static bool read_time(struct span query, const char *name, uint64_t otherwise, struct arena *a,
                      uint64_t *out, struct fault *why)
{
    struct span value = query_get(query, name, a);
    *out = otherwise;
    if (is_absent(value))
        return true;
    /* A plus sign of an offset that was not escaped has become a blank. */
    for (size_t i = 0; i < value.len; i++) {
        if (value.at[i] == ' ' && i > 18)
            ((uint8_t *)(uintptr_t)value.at)[i] = '+';
    }
    const char *problem = timestamp_read(value, out);
    if (problem == NULL)
        return true;
    *why = log_fault(FAULT_INVALID_REQUEST, name, problem);
    return false;
}

static bool read_text(struct span query, const char *name, struct arena *a, struct span *out,
                      struct fault *why)
{
    *out = query_get(query, name, a);
    if (out->len <= HISTORY_TEXT_MAX_BYTES)
        return true;
    *why = log_fault(FAULT_INVALID_REQUEST, name, "nothing here has a name of more than 128 bytes");
    return false;
}

bool log_query_read(struct span query, uint64_t otherwise_from, uint64_t otherwise_to,
                    struct arena *a, struct history_query *out, struct fault *why)
{
    static const char *statuses[CALL_STATUSES];
    struct history_filter *f = &out->filter;
    for (unsigned i = 0; i < CALL_STATUSES; i++)
        statuses[i] = history_status_name((enum history_status)i);
    *out = (struct history_query){.filter = {.status = -1}};
    *why = (struct fault){.kind = FAULT_INVALID_REQUEST};
    f->status = log_query_word(query, "status", statuses, CALL_STATUSES, -1, a, why);
    if (f->status < 0 && why->param != NULL)
        return false;
    if (!read_text(query, "model", a, &f->model, why) ||
        !read_text(query, "provider", a, &f->provider, why) ||
        !read_text(query, "key_id", a, &f->key_id, why) ||
        !read_text(query, "key", a, &f->key, why) ||
        !read_time(query, "from", otherwise_from, a, &out->from_unix_ms, why) ||
        !read_time(query, "to", otherwise_to, a, &out->until_unix_ms, why))
        return false;
    if (out->from_unix_ms <= out->until_unix_ms)
        return true;
    *why = log_fault(FAULT_INVALID_REQUEST, "from", "it is behind `to`");
    return false;
}
