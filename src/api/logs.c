#include "log_query.h"
#include "log_record.h"
#include "manage.h"
#include "page.h"
#include "query.h"

#include "sluice/net/timer.h"

#include <stddef.h>
#include <stdlib.h>

/* Rows LOG-1 to LOG-3 (contract 2.25): the records of calls, a page of them, one, or all. */

static const char LIST[] = "logs";
enum { STEP = 200 }; /* records written at once: less than a millisecond */

/* One request about records, from its first read to its last byte. */
struct telling {
    struct exchange_hook hook; /* first: a hook is what it is part of */
    struct exchange *x;
    struct history *history;
    struct history_query query;
    struct history_read *reading; /* under way, or NULL */
    struct arena arena;           /* texts of the query */
    struct buf out;
    unsigned wanted, n; /* a page: how many there may be, and are */
    struct history_place last;
    bool has_more;
    bool is_csv, has_begun, is_paused, is_over; /* an export */
};

static void telling_free(struct telling *t)
{
    arena_fini(&t->arena);
    buf_fini(&t->out);
    free(t);
}

static void on_ended(struct exchange_hook *hook)
{
    struct telling *t = (struct telling *)hook;
    if (t->reading != NULL)
        history_read_cancel(t->reading);
    telling_free(t);
}

static void fail_lost(struct telling *t)
{
    struct fault why = log_fault(FAULT_OVERLOADED, NULL,
                                 "the store that keeps the records cannot be reached");
    exchange_fail(t->x, &why);
}

static void read_next(struct telling *t, unsigned most, history_fn done)
{
    t->query.most = most;
    t->reading = history_read(t->history, &t->query, done, t);
    if (t->reading == NULL)
        fail_lost(t);
}

/* NULL: the exchange has failed. */
static struct telling *telling_open(const struct row *row, const struct call *call)
{
    struct exchange *x = exchange_open(call->api->gateway, call->sink, row->kind, call->head);
    struct fault why;
    if (call->fields.len > 0)
        exchange_add_fields(x, call->fields);
    if (!manage_admit(call, x))
        return NULL;
    struct telling *t = calloc(1, sizeof *t);
    if (t == NULL) {
        why = log_fault(FAULT_OVERLOADED, NULL, "there is no memory for the answer");
        exchange_fail(x, &why);
        return NULL;
    }
    t->x = x;
    t->history = store_history(call->api->gateway->store);
    arena_init(&t->arena, NULL, 512);
    t->hook.ended = on_ended;
    exchange_on_end(x, &t->hook);
    return t;
}

static bool read_query(struct telling *t, const struct call *call)
{
    struct fault why;
    uint64_t now = clock_unix_ms();
    if (log_query_read(call->query, 0, now + 60 * 1000, &t->arena, &t->query, &why))
        return true;
    exchange_fail(t->x, &why);
    return false;
}

/* --- a page --------------------------------------------------------------------------------------- */

static void write_items(struct telling *t, struct span frames)
{
    struct json_out o = json_out_to(&t->out);
    struct history_record r;
    while (history_record_next(&frames, &r)) {
        if (t->n == t->wanted) {
            t->has_more = true;
            return;
        }
        json_out_span(&o, t->n > 0 ? SPAN_LIT(",") : SPAN_NONE);
        log_record_write(&o, &r);
        t->last = history_place_of(&r);
        t->n++;
    }
}

static void finish_page(struct telling *t)
{
    struct json_out o = json_out_to(&t->out);
    json_out_lit(&o, "]");
    if (t->has_more)
        page_write_next(exchange_deployment(t->x)->snapshot, LIST,
                        span_of(t->last.at, sizeof t->last.at), &o);
    json_out_lit(&o, "}");
    struct buf document = t->out;
    t->out = (struct buf){0};
    exchange_reply_made(t->x, 200, o.rc, &document);
}

static void on_page(void *arg, const struct history_page *page)
{
    struct telling *t = arg;
    t->reading = NULL;
    if (page->is_lost) {
        fail_lost(t);
        return;
    }
    write_items(t, page->frames);
    if (t->has_more || !page->has_more) {
        finish_page(t);
        return;
    }
    t->query.has_place = true;
    t->query.place = page->next;
    read_next(t, t->wanted + 1 - t->n, on_page); /* one more tells whether there is another page */
}

static void list(struct telling *t, const struct call *call)
{
    const struct snapshot *s = exchange_deployment(t->x)->snapshot;
    struct page page;
    struct fault why;
    if (!page_read(s, LIST, call->query, &t->arena, &page, &why)) {
        exchange_fail(t->x, &why);
        return;
    }
    if (page.after.len == HISTORY_PLACE_BYTES) {
        t->query.has_place = true;
        memcpy(t->query.place.at, page.after.at, HISTORY_PLACE_BYTES);
    }
    t->wanted = page.limit;
    struct json_out o = json_out_to(&t->out);
    json_out_lit(&o, "{\"object\":\"list\",\"data\":[");
    read_next(t, t->wanted + 1, on_page);
}

void logs_list(const struct row *row, const struct call *call)
{
    struct telling *t = telling_open(row, call);
    if (t != NULL && read_query(t, call))
        list(t, call);
}

/* --- one ------------------------------------------------------------------------------------------ */

static void on_one(void *arg, const struct history_page *page)
{
    struct telling *t = arg;
    struct json_out o = json_out_to(&t->out);
    struct span frames = page->frames;
    struct history_record r;
    t->reading = NULL;
    if (page->is_lost) {
        fail_lost(t);
        return;
    }
    if (!history_record_next(&frames, &r)) {
        struct fault why = log_fault(FAULT_NOT_FOUND, NULL,
                                     "no call with this request_id is known");
        exchange_fail(t->x, &why);
        return;
    }
    log_record_write(&o, &r);
    struct buf document = t->out;
    t->out = (struct buf){0};
    exchange_reply_made(t->x, 200, o.rc, &document);
}

void logs_one(const struct row *row, const struct call *call)
{
    struct telling *t = telling_open(row, call);
    if (t == NULL)
        return;
    t->query = (struct history_query){
        .until_unix_ms = UINT64_MAX, .filter = {.status = -1}, .has_id = true};
    if (!history_id_read(call->rest, t->query.id)) {
        struct fault why = log_fault(
            FAULT_NOT_FOUND, NULL, "a request_id is 32 hexadecimal digits, as X-Request-Id has it");
        exchange_fail(t->x, &why);
        return;
    }
    read_next(t, 1, on_one);
}

/* --- all ------------------------------------------------------------------------------------------ */

static void on_step(void *arg, const struct history_page *page);

static void begin_export(struct telling *t)
{
    struct json_out o = json_out_to(&t->out);
    exchange_begin_reply(t->x, 200, t->is_csv ? "text/csv; charset=utf-8" : "application/x-ndjson");
    if (t->is_csv)
        log_record_write_names(&o);
    t->has_begun = true;
}

static int write_step(struct telling *t, struct span frames)
{
    struct json_out o = json_out_to(&t->out);
    struct history_record r;
    while (history_record_next(&frames, &r)) {
        if (t->is_csv) {
            log_record_write_line(&o, &r);
        } else {
            log_record_write(&o, &r);
            json_out_lit(&o, "\n");
        }
    }
    return o.rc;
}

static void go_on(struct telling *t)
{
    if (t->is_over)
        exchange_end_reply(t->x);
    else if (!t->is_paused && t->reading == NULL)
        read_next(t, STEP, on_step);
}

static void on_writable(struct exchange_hook *hook)
{
    struct telling *t = (struct telling *)hook;
    if (!t->is_paused)
        return;
    t->is_paused = false;
    go_on(t);
}

static void on_step(void *arg, const struct history_page *page)
{
    struct telling *t = arg;
    t->reading = NULL;
    if (page->is_lost) {
        fail_lost(t); /* in its middle: the connection is cut, so that nobody takes it for whole */
        return;
    }
    if (!t->has_begun)
        begin_export(t);
    if (write_step(t, page->frames) < 0) {
        fail_lost(t);
        return;
    }
    t->query.has_place = true;
    t->query.place = page->next;
    t->is_over = !page->has_more;
    t->is_paused = exchange_reply_piece(t->x, buf_span(&t->out)) == FLOW_PAUSE;
    buf_clear(&t->out);
    go_on(t);
}

void logs_export(const struct row *row, const struct call *call)
{
    static const char *const formats[] = {"jsonl", "csv"};
    struct telling *t = telling_open(row, call);
    struct fault why = {0};
    if (t == NULL || !read_query(t, call))
        return;
    int format = log_query_word(call->query, "format", formats, 2, 0, &t->arena, &why);
    if (format < 0) {
        exchange_fail(t->x, &why);
        return;
    }
    t->is_csv = format == 1;
    t->hook.writable = on_writable;
    read_next(t, STEP, on_step);
}
