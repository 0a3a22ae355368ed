#include "fields.h"

#include <stdarg.h>
#include <stdio.h>

bool field_refuse(struct fault *why, const char *name, const char *format, ...)
{
    va_list args;
    *why = (struct fault){.kind = FAULT_INVALID_REQUEST, .param = name};
    va_start(args, format);
    vsnprintf(why->message, sizeof why->message, format, args);
    va_end(args);
    return false;
}

bool field_bool(yyjson_val *root, const char *name, bool *out, struct fault *why)
{
    yyjson_val *v = yyjson_obj_get(root, name);
    if (v == NULL)
        return true;
    if (!yyjson_is_bool(v))
        return field_refuse(why, name, "true or false was expected");
    *out = yyjson_get_bool(v);
    return true;
}

static bool is_line(const char *text, size_t len, size_t max)
{
    for (size_t i = 0; i < len; i++) {
        if ((unsigned char)text[i] < ' ' || text[i] == 0x7f)
            return false;
    }
    return len <= max;
}

bool field_text(struct arena *a, yyjson_val *root, const char *name, size_t max, const char **out,
                struct fault *why)
{
    yyjson_val *v = yyjson_obj_get(root, name);
    if (v == NULL)
        return true;
    if (!yyjson_is_str(v) || !is_line(yyjson_get_str(v), yyjson_get_len(v), max))
        return field_refuse(why, name, "text of at most %zu bytes was expected", max);
    *out = (const char *)arena_keep(a, span_of(yyjson_get_str(v), yyjson_get_len(v))).at;
    return true;
}

bool field_count(yyjson_val *root, const char *name, uint64_t max, uint64_t *out, struct fault *why)
{
    yyjson_val *v = yyjson_obj_get(root, name);
    if (v == NULL)
        return true;
    if (!yyjson_is_null(v) &&
        (!yyjson_is_uint(v) || yyjson_get_uint(v) == 0 || yyjson_get_uint(v) > max))
        return field_refuse(why, name, "a number from 1 to %llu was expected, or null for none",
                            (unsigned long long)max);
    *out = yyjson_get_uint(v);
    return true;
}
