#include "sluice/codec/embeddings_request.h"

#include <stdio.h>

static bool reject(struct fault *why, const char *param, const char *message)
{
    *why = (struct fault){.kind = FAULT_INVALID_REQUEST, .param = param};
    snprintf(why->message, sizeof why->message, "%s", message);
    return false;
}

/* A token's number, and what may stand around it in a list of them. */
static bool is_of_tokens(uint8_t c)
{
    return (c >= '0' && c <= '9') || c == ',' || c == ' ' || c == '\n' || c == '\r' || c == '\t';
}

/* Which element of a valid array is not a token, SIZE_MAX when all are. Whatever is none holds a byte
 * that no token has, so that commas are enough to count by. */
static size_t first_other(struct span list)
{
    size_t n = 0;
    for (size_t i = 1; i + 1 < list.len; i++) {
        if (!is_of_tokens(list.at[i]))
            return n;
        n += list.at[i] == ',';
    }
    return SIZE_MAX;
}

static bool check_tokens(struct span list, const char *path, struct arena *a, struct fault *why)
{
    size_t bad = first_other(list);
    return bad == SIZE_MAX || reject(why, arena_printf(a, "%s[%zu]", path, bad),
                                     "a list of tokens holds nothing but whole numbers");
}

/* The first byte of the first element; 0 when there is none. */
static uint8_t first_byte(struct span list)
{
    size_t cursor = 0;
    struct span item;
    return json_each(list, &cursor, &item) ? item.at[0] : 0;
}

static bool is_number(uint8_t first)
{
    return first == '-' || (first >= '0' && first <= '9');
}

static bool check_item(struct span item, size_t index, struct arena *a, struct fault *why)
{
    uint8_t first = item.at[0];
    if (first == '"' || first == '{')
        return true;
    const char *path = arena_printf(a, "input[%zu]", index);
    if (first == '[') {
        uint8_t inner = first_byte(item);
        return inner == 0 || inner == '{' || check_tokens(item, path, a, why);
    }
    return reject(why, path,
                  is_number(first) ? "texts and tokens cannot be mixed: a list of tokens is an "
                                     "array of its own"
                                   : "an input is a text, a list of tokens or an object");
}

bool embeddings_request_input(struct span value, enum json_kind kind, struct arena *a,
                              struct fault *why)
{
    struct span item;
    size_t cursor = 0, n = 0;
    if (kind == JSON_STRING || kind == JSON_OBJECT)
        return true;
    if (kind != JSON_ARRAY)
        return reject(why, "input", "\"input\" must be a text, a list of texts, or tokens");
    if (is_number(first_byte(value)))
        return check_tokens(value, "input", a, why);
    for (; json_each(value, &cursor, &item); n++) {
        if (n == EMBEDDINGS_ITEMS_MAX)
            return reject(why, "input",
                          "\"input\" may have 2048 items at most: send several requests");
        if (!check_item(item, n, a, why))
            return false;
    }
    return true;
}

bool embeddings_request_format(struct span value, enum json_kind kind, bool *wants_base64,
                               struct fault *why)
{
    *wants_base64 = span_eq(value, SPAN_LIT("\"base64\""));
    return *wants_base64 || kind == JSON_NULL || span_eq(value, SPAN_LIT("\"float\"")) ||
           reject(why, "encoding_format", "\"encoding_format\" must be \"float\" or \"base64\"");
}

bool embeddings_request_dimensions(struct span value, enum json_kind kind, struct fault *why)
{
    uint64_t n;
    return kind == JSON_NULL || (json_u64(value, &n) && n > 0) ||
           reject(why, "dimensions", "\"dimensions\" must be a whole number above 0");
}
