#include "answer.h"

#include "stamp.h"
#include "wire.h"

#include <stdio.h>
#include <stdlib.h>

/* How each protocol marks a chunk, the finish and the end. A Responses stream repeats its text at the
 * end, so chunks are known by their type there. */
static const struct marks {
    const char *chunk, *finish, *end;
} *marks, all_marks[] = {
              [ANSWERS_CHAT] = {NULL, "\"finish_reason\":\"stop\"", "data: [DONE]"},
              [ANSWERS_MESSAGES] = {NULL, "\"end_turn\"", "\"message_stop\""},
              [ANSWERS_RESPONSES] = {"output_text.delta\"", "\"response.output_item.done\"",
                                     "\"response.completed\""},
};

void answer_speak(enum answer_api api)
{
    marks = &all_marks[api];
}

void tally_error(struct tally *tally, const char *what)
{
    if (tally->errors++ == 0)
        snprintf(tally->first_error, sizeof(tally->first_error), "%s", what);
}

void answer_start(struct answer *a, uint64_t start_ns, bool is_stream)
{
    answer_fini(a);
    *a = (struct answer){.start_ns = start_ns, .is_stream = is_stream};
}

void answer_fini(struct answer *a)
{
    free(a->kept);
    a->kept = NULL;
    a->nkept = 0;
}

static void keep(struct answer *a, const char *at, size_t len)
{
    a->kept = realloc(a->kept, a->nkept + len);
    if (a->kept == NULL)
        die("answer: no memory");
    memcpy(a->kept + a->nkept, at, len);
    a->nkept += len;
}

static bool has(const char *line, size_t len, const char *text)
{
    return memmem(line, len, text, strlen(text)) != NULL;
}

/* One line of the stream, without its line feed. */
static const char *take_line(struct answer *a, const char *line, size_t len, uint64_t now,
                             struct tally *tally)
{
    uint32_t seq;
    uint64_t sent_ns;
    if (line == NULL || len < 6 || memcmp(line, "data: ", 6) != 0)
        return NULL; /* blank, a comment, or a field this protocol does not use */
    if (a->done)     /* a [DONE] behind the end is a habit of some, and harms nobody */
        return has(line, len, "[DONE]") ? NULL : "an event after the end";
    bool may_be_chunk = marks->chunk == NULL || has(line, len < 200 ? len : 200, marks->chunk);
    if (may_be_chunk && stamp_find(line, len, &seq, &sent_ns)) {
        if (seq != a->chunks)
            return seq < a->chunks ? "a chunk came twice" : "a chunk is missing";
        if (a->finished)
            return "content after the finish chunk";
        a->chunks++;
        tally->chunks++;
        if (tally->measuring) {
            hist_record(&tally->chunk, now > sent_ns ? now - sent_ns : 0);
            if (seq == 0)
                hist_record(&tally->ttft, now - a->start_ns);
        }
        return NULL;
    }
    if (has(line, len, marks->end))
        a->done = true;
    else if (has(line, len, marks->finish))
        a->finished = true;
    else if (has(line, len, "\"error\":{"))
        return "an error event in the stream";
    return NULL;
}

static const char *take_events(struct answer *a, const char *at, size_t len, uint64_t now,
                               struct tally *tally)
{
    const char *end = at + len;
    const char *wrong = NULL;
    while (at < end && wrong == NULL) {
        const char *feed = memchr(at, '\n', (size_t)(end - at));
        if (feed == NULL) {
            keep(a, at, (size_t)(end - at));
            return NULL;
        }
        if (a->nkept > 0) {
            keep(a, at, (size_t)(feed - at));
            wrong = take_line(a, a->kept, a->nkept, now, tally);
            a->nkept = 0;
        } else {
            wrong = take_line(a, at, (size_t)(feed - at), now, tally);
        }
        at = feed + 1;
    }
    return wrong;
}

static const char *take_body(struct answer *a, const char **at, const char *end, uint64_t now,
                             struct tally *tally)
{
    const char *data;
    ssize_t n;
    while ((n = http_body_next(&a->body, at, end, &data)) > 0) {
        a->last_byte = data[n - 1];
        if (a->is_stream && a->status == 200) {
            const char *wrong = take_events(a, data, (size_t)n, now, tally);
            if (wrong != NULL)
                return wrong;
        }
    }
    if (n < 0)
        return "broken chunk framing";
    if (a->body.done)
        a->at = ANSWER_COMPLETE;
    return NULL;
}

/* Moves *at past the head when it is all there; else keeps what there is. */
static const char *take_head(struct answer *a, const char **at, const char *end)
{
    struct http_head head;
    const char *from = *at;
    size_t before = a->nkept;
    if (before > 0) {
        keep(a, *at, (size_t)(end - *at));
        from = a->kept;
    }
    size_t len = before > 0 ? a->nkept : (size_t)(end - *at);
    ssize_t n = http_head_parse(from, len, &head);
    if (n < 0)
        return "not an HTTP response";
    if (n == 0) {
        if (before == 0)
            keep(a, *at, len);
        *at = end;
        return NULL;
    }
    *at += (size_t)n - before;
    a->nkept = 0;
    a->status = head.status;
    a->close = head.close;
    if (head.status == 100)
        return NULL;
    http_body_start(&a->body, &head, false);
    a->at = a->body.done ? ANSWER_COMPLETE : ANSWER_BODY;
    return NULL;
}

const char *answer_feed(struct answer *a, const char *at, size_t len, uint64_t now,
                        struct tally *tally)
{
    const char *end = at + len;
    const char *wrong = NULL;
    while (wrong == NULL && at < end) {
        if (a->at == ANSWER_HEAD)
            wrong = take_head(a, &at, end);
        else if (a->at == ANSWER_BODY)
            wrong = take_body(a, &at, end, now, tally);
        else
            return "bytes after the end of the answer";
    }
    return wrong;
}

const char *answer_closed(struct answer *a)
{
    if (a->at == ANSWER_HEAD)
        return "closed before an answer";
    if (a->body.how != BODY_UNTIL_CLOSE)
        return "closed inside the answer";
    a->at = ANSWER_COMPLETE;
    return NULL;
}

const char *answer_verdict(const struct answer *a, uint32_t chunks_wanted)
{
    static char status[40];
    if (a->status != 200) {
        snprintf(status, sizeof(status), "status %u", a->status);
        return status;
    }
    if (!a->is_stream)
        return a->last_byte == '}' || a->last_byte == '\n' ? NULL : "the answer is cut short";
    if (a->chunks != chunks_wanted)
        return "the stream has too few chunks";
    if (!a->finished)
        return "no finish";
    return a->done ? NULL : "no end";
}
