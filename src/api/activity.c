#include "activity_sums.h"
#include "log_query.h"
#include "manage.h"
#include "query.h"

#include "sluice/net/offload.h"

#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

/* Rows ACT-1 and ACT-2 (contract 2.25): a page of the history is read, added up on another thread, and so
 * on; then the answer is written there, too. Loops of a few hundred thousand records hold nobody up. */

enum { AT_A_TIME = 8 };
static const uint64_t DAY = 24 * 3600 * 1000;

static unsigned running;

/* One request, and what a thread works on for it: whoever lets go last frees it. */
struct adding {
    struct exchange_hook hook; /* first: a hook is what it is part of */
    struct exchange *x;        /* NULL: it has ended, and nobody waits */
    struct loop *loop;
    struct history *history;
    struct history_query query;
    struct history_read *reading; /* under way, or NULL */
    struct arena arena;           /* texts of the query */
    struct activity_range range;
    bool is_csv, is_working, has_more;
    /* the thread's, while is_working */
    struct activity_sums *sums;
    struct buf frames, out;
    enum activity_result result;
    int rc;
};

static void adding_free(struct adding *a)
{
    running--;
    activity_sums_free(a->sums);
    arena_fini(&a->arena);
    buf_fini(&a->frames);
    buf_fini(&a->out);
    free(a);
}

static void on_ended(struct exchange_hook *hook)
{
    struct adding *a = (struct adding *)hook;
    a->x = NULL;
    if (a->reading != NULL)
        history_read_cancel(a->reading);
    a->reading = NULL;
    if (!a->is_working)
        adding_free(a);
}

static void fail(struct adding *a, enum fault_kind kind, const char *param, const char *text)
{
    struct fault why = log_fault(kind, param, text);
    exchange_fail(a->x, &why);
}

static void fail_result(struct adding *a)
{
    if (a->result == ACTIVITY_TOO_MANY)
        fail(a, FAULT_INVALID_REQUEST, "interval",
             "more than 50000 figures: choose a longer interval, a shorter time or other groups");
    else
        fail(a, FAULT_OVERLOADED, NULL, "there is no memory for the answer");
}

/* --- the thread ----------------------------------------------------------------------------------- */

static void offload(struct adding *a, void (*work)(void *arg), void (*done)(void *arg))
{
    a->is_working = true;
    (void)offload_start(a->loop, work, done, done, a);
}

/* True: somebody still waits. */
static bool is_back(struct adding *a)
{
    a->is_working = false;
    if (a->x != NULL)
        return true;
    adding_free(a);
    return false;
}

static void add_page(void *arg)
{
    struct adding *a = arg;
    a->result = activity_sums_add(a->sums, buf_span(&a->frames));
}

static void write_answer(void *arg)
{
    struct adding *a = arg;
    struct json_out o = json_out_to(&a->out);
    if (a->is_csv)
        activity_sums_write_csv(a->sums, &o);
    else
        activity_sums_write(a->sums, &o);
    a->rc = o.rc;
}

static void on_written(void *arg)
{
    struct adding *a = arg;
    if (!is_back(a))
        return;
    struct buf document = a->out;
    a->out = (struct buf){0};
    if (!a->is_csv) {
        exchange_reply_made(a->x, 200, a->rc, &document);
        return;
    }
    if (a->rc < 0)
        fail(a, FAULT_OVERLOADED, NULL, "there is no memory for the answer");
    else
        exchange_reply(a->x, 200, "text/csv; charset=utf-8", buf_span(&document));
    buf_fini(&document);
}

static void read_next(struct adding *a);

static void on_added(void *arg)
{
    struct adding *a = arg;
    if (!is_back(a))
        return;
    if (a->result != ACTIVITY_ADDED)
        fail_result(a);
    else if (a->has_more)
        read_next(a);
    else
        offload(a, write_answer, on_written);
}

static void on_page(void *arg, const struct history_page *page)
{
    struct adding *a = arg;
    a->reading = NULL;
    buf_clear(&a->frames);
    if (page->is_lost || buf_add(&a->frames, page->frames) < 0) {
        fail(a, FAULT_OVERLOADED, NULL, "the store that keeps the records cannot be reached");
        return;
    }
    a->query.has_place = true;
    a->query.place = page->next;
    a->has_more = page->has_more;
    offload(a, add_page, on_added);
}

static void read_next(struct adding *a)
{
    a->reading = history_read(a->history, &a->query, on_page, a);
    if (a->reading == NULL)
        fail(a, FAULT_OVERLOADED, NULL, "too many are reading the records");
}

/* --- the request ---------------------------------------------------------------------------------- */

static bool read_range(struct adding *a, struct span query, struct fault *why)
{
    static const char *const intervals[] = {"minute", "hour", "day"};
    static const uint64_t steps_ms[] = {60 * 1000, 3600 * 1000, 24 * 3600 * 1000};
    static const char *const groups[] = {"model", "provider", "key", "status", "error_type"};
    uint64_t now = clock_unix_ms() + 1;
    if (!log_query_read(query, now - DAY, now, &a->arena, &a->query, why))
        return false;
    *why = (struct fault){.kind = FAULT_INVALID_REQUEST};
    int interval = log_query_word(query, "interval", intervals, 3, 1, &a->arena, why);
    int group = interval < 0 ? -1
                             : log_query_word(query, "group_by", groups, 5, -1, &a->arena, why);
    if (interval < 0 || (group < 0 && why->param != NULL))
        return false;
    if (a->query.until_unix_ms > now) /* what has not been yet would make rates too small */
        a->query.until_unix_ms = a->query.from_unix_ms > now ? a->query.from_unix_ms : now;
    a->range = (struct activity_range){
        .from_unix_ms = a->query.from_unix_ms,
        .until_unix_ms = a->query.until_unix_ms,
        .step_ms = steps_ms[interval],
        .by = group < 0 ? GROUP_BY_NOTHING : (enum activity_group)(GROUP_BY_MODEL + group),
    };
    a->query.most = HISTORY_PAGE_MAX;
    if (activity_steps(&a->range) <= ACTIVITY_STEPS_MAX)
        return true;
    *why = log_fault(FAULT_INVALID_REQUEST, "interval",
                     "from and to are more than 1500 intervals apart: choose a longer one");
    return false;
}

static void answer(const struct row *row, const struct call *call, bool is_csv)
{
    struct exchange *x = exchange_open(call->api->gateway, call->sink, row->kind, call->head);
    struct fault why = {0};
    if (call->fields.len > 0)
        exchange_add_fields(x, call->fields);
    if (!manage_admit(call, x))
        return;
    struct adding *a = running < AT_A_TIME ? calloc(1, sizeof *a) : NULL;
    if (a == NULL) {
        why = log_fault(FAULT_OVERLOADED, NULL, "too many are asking for activity; try again");
        exchange_fail(x, &why);
        return;
    }
    running++;
    a->x = x;
    a->loop = call->api->gateway->loop;
    a->history = store_history(call->api->gateway->store);
    a->is_csv = is_csv;
    arena_init(&a->arena, NULL, 512);
    a->hook.ended = on_ended;
    exchange_on_end(x, &a->hook);
    if (!read_range(a, call->query, &why)) {
        exchange_fail(x, &why);
        return;
    }
    a->sums = activity_sums_new(&a->range);
    if (a->sums == NULL)
        fail(a, FAULT_OVERLOADED, NULL, "there is no memory for the answer");
    else
        read_next(a);
}

void activity_show(const struct row *row, const struct call *call)
{
    answer(row, call, false);
}

void activity_export(const struct row *row, const struct call *call)
{
    answer(row, call, true);
}
