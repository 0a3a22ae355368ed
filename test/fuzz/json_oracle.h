/* json_oracle.h: our scanner and yyjson have to agree on what is JSON and what its members are.
 *
 * Differences that are meant: yyjson looks into UTF-8, surrogate escapes and the range of numbers,
 * the scanner does not; the scanner has a depth limit. So yyjson keeps numbers as text and gets a
 * copy in which only the grammar is left, and texts nested too deeply count as agreed. */
#ifndef SLUICE_TEST_JSON_ORACLE_H
#define SLUICE_TEST_JSON_ORACLE_H

#include "sluice/format/json_scan.h"

#include <stdlib.h>
#include <yyjson.h>

/* \ud83d becomes \u083d and bytes beyond ASCII become 'x', which stand for themselves in a string
 * and are as wrong as before outside: nothing turns from wrong to right or back. */
static inline char *only_grammar(struct span text)
{
    char *copy = malloc(text.len + 1);
    if (copy == NULL)
        abort();
    for (size_t i = 0; i < text.len; i++)
        copy[i] = text.at[i] < 0x80 ? (char)text.at[i] : 'x';
    copy[text.len] = '\0';
    for (size_t i = 0; i + 2 < text.len; i++)
        if (copy[i] == '\\' && copy[i + 1] == 'u' && (copy[i + 2] | 0x20) == 'd')
            copy[i + 2] = '0';
    return copy;
}

static inline bool kinds_agree(enum json_kind kind, yyjson_val *value)
{
    switch (kind) {
    case JSON_OBJECT:
        return yyjson_is_obj(value);
    case JSON_ARRAY:
        return yyjson_is_arr(value);
    case JSON_STRING:
        return yyjson_is_str(value);
    case JSON_NUMBER:
        return yyjson_is_raw(value);
    case JSON_TRUE:
        return yyjson_is_true(value);
    case JSON_FALSE:
        return yyjson_is_false(value);
    case JSON_NULL:
        return yyjson_is_null(value);
    }
    return false;
}

/* Scans `text` in pieces of `step` bytes beside the parsed document (NULL: yyjson refused it). */
static inline bool scan_agrees(struct span text, size_t step, yyjson_doc *doc)
{
    struct json_scan s;
    enum json_status status = JSON_MORE;
    yyjson_obj_iter members = {0};
    yyjson_val *root = yyjson_doc_get_root(doc);
    json_scan_init(&s);
    if (yyjson_is_obj(root))
        members = yyjson_obj_iter_with(root);
    for (size_t at = 0; at < text.len && status != JSON_INVALID; at += step) {
        struct span piece = span_sub(text, at, step);
        while ((status = json_scan_next(&s, &piece)) == JSON_MEMBER) {
            yyjson_val *key = doc == NULL ? NULL : yyjson_obj_iter_next(&members);
            if (doc == NULL)
                continue;
            if (key == NULL || !kinds_agree(s.member.kind, yyjson_obj_iter_get_val(key)))
                return false;
        }
    }
    if (status == JSON_INVALID && strcmp(s.problem, "nested too deeply") == 0)
        return true;
    bool accepted = status != JSON_INVALID && json_scan_finish(&s);
    return accepted == (doc != NULL) &&
           (!accepted || !yyjson_is_obj(root) || s.members == yyjson_obj_size(root));
}

static inline bool json_agrees(struct span text, size_t step)
{
    char *copy = only_grammar(text);
    yyjson_doc *doc = yyjson_read(copy, text.len, YYJSON_READ_NUMBER_AS_RAW);
    bool agrees = scan_agrees(text, text.len, doc) && scan_agrees(text, step, doc);
    yyjson_doc_free(doc);
    free(copy);
    return agrees;
}

#endif
