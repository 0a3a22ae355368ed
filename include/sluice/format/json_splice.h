/* json_splice.h: change some members of a JSON object and no other byte.
 *
 * An edit names a range of the original text and what stands there afterwards. The result is a
 * list of spans, alternating between the original (untouched, not copied) and replacements, ready
 * for one writev. Edits must be added in ascending order and may not overlap. */
#ifndef SLUICE_FORMAT_JSON_SPLICE_H
#define SLUICE_FORMAT_JSON_SPLICE_H

#include "sluice/format/json_scan.h"

#define SPLICE_EDITS_MAX 84

struct json_splice {
    struct {
        size_t start, end;   /* of the original text */
        struct span instead; /* borrowed until the spans have been used */
    } edit[SPLICE_EDITS_MAX];
    unsigned nedits;
};

/* Room is bounded: false when the list is full or the edit is out of order. */
bool splice_replace(struct json_splice *s, size_t start, size_t end, struct span instead);

/* Removes a member together with the one comma that has to go with it, so that the text stays
 * valid JSON even when neighbours are removed as well (the caller removes in ascending order). */
bool splice_remove_member(struct json_splice *s, const struct json_member *m);

/* Inserts `text` at `offset` (right behind an opening brace, say). */
bool splice_insert(struct json_splice *s, size_t offset, struct span text);

/* Lays the result out as spans over `text`: returns how many (at most 2 * nedits + 1). `out` needs
 * that many; `*total` is the sum of their lengths. */
unsigned splice_spans(const struct json_splice *s, struct span text, struct span *out,
                      size_t *total);

#endif
