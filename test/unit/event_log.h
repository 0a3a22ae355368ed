/* event_log.h: what a reader of upstream answers emits, as text: a line an event. */
#ifndef SLUICE_TEST_EVENT_LOG_H
#define SLUICE_TEST_EVENT_LOG_H

#include "unit.h"

#include "sluice/codec/turn_event.h"

struct event_log {
    struct buf text;
    unsigned events, most; /* most: says no at that event; 0: never */
    bool is_over;
    struct fault fault;
};

static const char *const event_words[] = {
    [TURN_START] = "start",       [TURN_TEXT] = "text",
    [TURN_REFUSAL] = "refusal",   [TURN_REASONING] = "reasoning",
    [TURN_PROOF] = "proof",       [TURN_REDACTED] = "redacted",
    [TURN_CALL] = "call",         [TURN_ARGUMENTS] = "arguments",
    [TURN_CALL_END] = "call_end", [TURN_CITATION] = "citation",
    [TURN_USAGE] = "usage",       [TURN_STOP] = "stop",
    [TURN_END] = "end",           [TURN_FAULT] = "fault",
};

static inline int event_log_details(struct event_log *log, const struct turn_event *e)
{
    switch (e->kind) {
    case TURN_START:
        return buf_addf(&log->text, " %.*s %.*s", SPAN_FMT(e->id), SPAN_FMT(e->name));
    case TURN_CALL:
        return buf_addf(&log->text, " %u %.*s %.*s", e->slot, SPAN_FMT(e->id), SPAN_FMT(e->name));
    case TURN_USAGE:
        return buf_addf(&log->text, " %d/%d/%d/%d/%d", (int)e->usage->prompt, (int)e->usage->cached,
                        (int)e->usage->cache_write, (int)e->usage->completion,
                        (int)e->usage->reasoning);
    case TURN_STOP:
        return buf_addf(&log->text, " %d %.*s", e->stop, SPAN_FMT(e->native));
    case TURN_CITATION:
        return buf_addf(&log->text, " %u %.*s %.*s", e->slot, SPAN_FMT(e->citation.url),
                        SPAN_FMT(e->citation.title));
    case TURN_FAULT:
        log->fault = *e->fault;
        return buf_addf(&log->text, " %d %s", e->fault->kind, e->fault->message);
    case TURN_CALL_END:
        return buf_addf(&log->text, " %u", e->slot);
    case TURN_END:
        return 0;
    default:
        return buf_addf(&log->text, " %u %.*s%s%.*s%s%.*s", e->slot, SPAN_FMT(e->text),
                        e->is_of_call ? " of call " : "", SPAN_FMT(e->family),
                        e->logprobs.len > 0 ? " " : "", SPAN_FMT(e->logprobs));
    }
}

/* A turn_event_fn. */
static inline bool event_log_add(void *arg, const struct turn_event *e)
{
    struct event_log *log = arg;
    assert_false(log->is_over);
    log->is_over = e->kind == TURN_END || e->kind == TURN_FAULT;
    assert_int_equal(buf_add_text(&log->text, event_words[e->kind]), 0);
    assert_int_equal(event_log_details(log, e), 0);
    assert_int_equal(buf_add_byte(&log->text, '\n'), 0);
    if (++log->events == log->most)
        log->is_over = true;
    return !log->is_over || log->most == 0;
}

static inline void event_log_fini(struct event_log *log)
{
    buf_fini(&log->text);
}

/* A file of the recordings; SLUICE_FIXTURES says where they are. Skips the test without them. */
static inline struct buf read_recording(const char *path)
{
    struct buf bytes = {0};
    char full[512];
    const char *root = getenv("SLUICE_FIXTURES");
    if (root == NULL)
        skip();
    snprintf(full, sizeof full, "%s/%s", root, path);
    FILE *f = fopen(full, "rb");
    if (f == NULL)
        fail_msg("%s: cannot be opened", full);
    size_t got;
    do {
        assert_int_equal(buf_reserve(&bytes, 65536), 0);
        got = fread(bytes.at + bytes.tail, 1, 65536, f);
        bytes.tail += got;
    } while (got > 0);
    (void)fclose(f);
    return bytes;
}

#endif
