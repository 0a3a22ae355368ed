/* turn_bed.h: an upstream's bytes through a reader and a writer, as the turn lane joins them. */
#ifndef SLUICE_TEST_TURN_BED_H
#define SLUICE_TEST_TURN_BED_H

#include "turn_grammar.h"

#include "sluice/codec/answer_seam.h"
#include "sluice/codec/turn_codec.h"

static const enum api_protocol clients[] = {API_CHAT, API_MESSAGES, API_RESPONSES};
static const struct span any_request = {
    (const uint8_t *)"{\"model\":\"m\",\"include\":[\"reasoning.encrypted_content\"]}", 56};

struct bed {
    const struct client_codec *client;
    struct answer_identity who;
    struct arena arena;
    void *writer;
    struct buf out;
    bool is_stream, has_ended, has_failed;
    bool keeps_faults;        /* from the writer: somebody may go on */
    struct answer_seam *seam; /* between reader and writer, or NULL */
    struct fault fault;
};

static inline bool bed_write(void *arg, const struct turn_event *e)
{
    struct bed *b = arg;
    b->has_ended |= e->kind == TURN_END;
    if (e->kind == TURN_FAULT) {
        b->has_failed = true;
        b->fault = *e->fault;
        if (b->keeps_faults)
            return false;
    }
    int rc = b->is_stream ? b->client->event(b->writer, e, &b->out)
                          : b->client->whole_event(b->writer, e);
    if (rc != 0)
        abort();
    return true;
}

static inline bool bed_emit(void *arg, const struct turn_event *e)
{
    struct bed *b = arg;
    return b->seam == NULL ? bed_write(b, e) : answer_seam_event(b->seam, e, bed_write, b);
}

static inline void bed_init(struct bed *b, enum api_protocol api, bool is_stream)
{
    *b = (struct bed){
        .client = client_codec_for(api),
        .who = {.id = SPAN_LIT("0123456789abcdef"),
                .model = SPAN_LIT("m"),
                .provider = SPAN_LIT("p"),
                .wants_usage = true},
        .is_stream = is_stream,
    };
    arena_init(&b->arena, NULL, 256);
    b->writer = calloc(1, is_stream ? b->client->writer_size : b->client->whole_size);
    if (b->writer == NULL)
        abort();
    if (is_stream)
        b->client->init(b->writer, &b->who, any_request, &b->arena);
    else
        b->client->whole_init(b->writer, &b->who, any_request, &b->arena);
}

static inline void bed_fini(struct bed *b)
{
    if (b->is_stream)
        b->client->fini(b->writer);
    else
        b->client->whole_fini(b->writer);
    free(b->writer);
    buf_fini(&b->out);
    arena_fini(&b->arena);
}

/* The stream's bytes, `step` at a time. */
static inline void bed_stream(struct bed *b, enum upstream_api api, struct span bytes, size_t step)
{
    const struct upstream_codec *up = upstream_codec_for(api);
    void *reader = calloc(1, up->reader_size);
    struct sse s;
    if (reader == NULL)
        abort();
    up->init(reader, SPAN_LIT("u"), bed_emit, b);
    sse_init(&s, 1u << 24);
    for (size_t at = 0; at < bytes.len; at += step) {
        struct span input = span_sub(bytes, at, step);
        while (sse_next(&s, &input) == SSE_EVENT)
            up->event(reader, s.name, s.data);
    }
    if (sse_finish(&s))
        up->event(reader, s.name, s.data);
    up->end(reader);
    up->fini(reader);
    sse_fini(&s);
    free(reader);
}

static inline void bed_whole(struct bed *b, enum upstream_api api, struct span body)
{
    const struct upstream_codec *up = upstream_codec_for(api);
    void *reader = calloc(1, up->reader_size);
    if (reader == NULL)
        abort();
    up->init(reader, SPAN_LIT("u"), bed_emit, b);
    up->whole(reader, body);
    up->fini(reader);
    free(reader);
}

#endif
