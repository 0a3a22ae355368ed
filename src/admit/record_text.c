#include "record_text.h"

/* A zero byte inside would make it another text. */
static bool is_text(yyjson_val *v)
{
    return yyjson_is_str(v) && strlen(yyjson_get_str(v)) == yyjson_get_len(v);
}

static const char *keep(struct arena *a, yyjson_val *v)
{
    return (const char *)arena_keep(a, span_of(yyjson_get_str(v), yyjson_get_len(v))).at;
}

const char *record_text(struct arena *a, yyjson_val *object, const char *name)
{
    yyjson_val *v = yyjson_obj_get(object, name);
    return is_text(v) ? keep(a, v) : NULL;
}

uint64_t record_number(yyjson_val *object, const char *name)
{
    return yyjson_get_uint(yyjson_obj_get(object, name));
}

struct text_list record_texts(struct arena *a, yyjson_val *object, const char *name, unsigned max)
{
    yyjson_val *list = yyjson_obj_get(object, name), *v;
    struct text_list out = {.at = ARENA_ARRAY(a, const char *, yyjson_arr_size(list) + 1)};
    size_t i, n;
    yyjson_arr_foreach(list, i, n, v)
    {
        if (is_text(v) && out.n < max)
            out.at[out.n++] = keep(a, v);
    }
    return out;
}

static void write_name(struct json_out *o, const char *name)
{
    json_out_lit(o, ",");
    json_out_bytes(o, span_text(name));
    json_out_lit(o, ":");
}

void record_write_text(struct json_out *o, const char *name, const char *text)
{
    if (text == NULL)
        return;
    write_name(o, name);
    json_out_bytes(o, span_text(text));
}

void record_write_number(struct json_out *o, const char *name, uint64_t n)
{
    write_name(o, name);
    json_out_u64(o, n);
}

void record_write_texts(struct json_out *o, const char *name, const struct text_list *texts)
{
    write_name(o, name);
    json_out_lit(o, "[");
    for (unsigned i = 0; i < texts->n; i++) {
        if (i > 0)
            json_out_lit(o, ",");
        json_out_bytes(o, span_text(texts->at[i]));
    }
    json_out_lit(o, "]");
}
