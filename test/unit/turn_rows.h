/* turn_rows.h: a client's request as it reaches an upstream: refused, or what its body holds. */
#ifndef SLUICE_TEST_TURN_ROWS_H
#define SLUICE_TEST_TURN_ROWS_H

#include "unit.h"

#include "sluice/codec/structured_output.h"
#include "sluice/codec/turn_codec.h"

#define CHAT(more) "{\"model\":\"m\",\"messages\":[{\"role\":\"user\",\"content\":\"hi\"}]" more "}"
#define MESSAGES(more)                                                                                \
    "{\"model\":\"m\",\"max_tokens\":4000,\"messages\":[{\"role\":\"user\",\"content\":\"hi\"}]" more \
    "}"
#define RESPONSES(more) "{\"model\":\"m\",\"input\":\"hi\"" more "}"

struct row {
    enum api_protocol client;
    enum upstream_api upstream;
    struct translation_options choice;
    const char *body;
    const char *param;       /* of the 400; NULL: none */
    const char *has, *lacks; /* what the upstream's body holds, and what not; NULL: either */
    const char *dropped;     /* all the client is told, ", " between; NULL: nothing */
};

static inline bool turn(const struct row *row, struct arena *a, struct buf *out,
                        struct turn_notes *notes, struct fault *why)
{
    bool searches = row->upstream == UPSTREAM_MESSAGES; /* whoever offers that protocol */
    const struct wire_options o = {.model = SPAN_LIT("m"),
                                   .default_max_tokens = 4000,
                                   .facts = FACT_REASONING | FACT_SAMPLING |
                                            (searches ? FACT_WEB_SEARCH : 0),
                                   .translation = row->choice};
    struct turn_request r;
    if (!client_codec_for(row->client)->read(span_text(row->body), &o.translation, a, &r, why))
        return false;
    const struct upstream_codec *up = upstream_codec_for(row->upstream);
    *notes = r.unread;
    return structured_output_prepare(&r, &o, up->knows_json_object, a, notes, why) &&
           up->write(&r, &o, a, out, notes, why);
}

static inline void check_notes(size_t i, const struct turn_notes *notes, const char *dropped)
{
    char told[400] = "";
    for (unsigned n = 0; n < notes->n; n++)
        snprintf(told + strlen(told), sizeof told - strlen(told), "%s%s", n > 0 ? ", " : "",
                 notes->dropped[n]);
    if (strcmp(told, dropped == NULL ? "" : dropped) != 0)
        fail_msg("row %zu: dropped: %s", i, told);
}

static inline void check(const struct row *rows, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        struct turn_notes notes = {.n = 0};
        struct fault why = {.param = NULL};
        struct buf out = {0};
        struct arena a;
        arena_init(&a, NULL, 512);
        bool is_written = turn(&rows[i], &a, &out, &notes, &why);
        struct span got = buf_span(&out);
        const char *param = is_written ? "-" : why.param, *due = rows[i].param;
        if (param == NULL || strcmp(param, due == NULL ? "-" : due) != 0)
            fail_msg("row %zu: %s: %s", i, param, why.message);
        bool has = rows[i].has == NULL || span_find(got, span_text(rows[i].has)) != SIZE_MAX;
        bool lacks = rows[i].lacks == NULL || span_find(got, span_text(rows[i].lacks)) == SIZE_MAX;
        if (!has || !lacks)
            fail_msg("row %zu: %.*s", i, SPAN_FMT(got));
        if (is_written)
            check_notes(i, &notes, rows[i].dropped);
        arena_fini(&a);
        buf_fini(&out);
    }
}

#define DEFAULT {.drops_unknown_tools = false}

#endif
