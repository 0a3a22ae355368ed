#include "history_caller.h"
#include "terminal.h"
#include "verbs.h"

#include "sluice/base/arena.h"
#include "sluice/base/timestamp.h"
#include "sluice/format/json_scan.h"

#include <stdlib.h>
#include <time.h>
#include <unistd.h>

/* `sluice logs`: the last records, the newest at the bottom; with -f whatever comes. */

enum { LAST = 20, PAGE = 100, PAGES_MAX = 64, POLL_MS = 1000, ID_BYTES = 32, SEEN_MAX = 8192 };
/* Replicas tell of a call within two seconds, so a time is asked for again until then. */
enum { OVERLAP_MS = 5000 };

struct tail {
    const struct cli *cli;
    struct caller *caller;
    struct buf page;
    char (*seen)[ID_BYTES]; /* a ring of ids that were shown */
    unsigned nseen;
    /* By the gateway's clock, which need not be ours: the newest record there was, and what is older than
     * all that was shown at the start. */
    uint64_t newest_unix_ms, floor_unix_ms;
};

/* ── a line ──────────────────────────────────────────────────────────────────────────────────── */

static enum style style_of(const char *status)
{
    return strcmp(status, "success") == 0     ? STYLE_GREEN
           : strcmp(status, "cancelled") == 0 ? STYLE_YELLOW
                                              : STYLE_RED;
}

static const char *or_dash(const char *text)
{
    return text[0] != '\0' ? text : "-";
}

/* Its name where there is one, as people know it. */
static const char *key_of(struct span r, char *out, size_t room)
{
    struct span name = json_find(r, "key_name");
    return history_text(history_text(name, out, room)[0] != '\0' ? name : json_find(r, "key_id"),
                        out, room);
}

static void print_line(struct span r)
{
    char time[40], status[16], model[160], endpoint[160], key[160], error[160], id[40];
    struct span ttft = json_find(r, "ttft_ms");
    history_text(json_find(r, "status"), status, sizeof status);
    history_text(json_find(r, "error_type"), error, sizeof error);
    printf("%.19s  %s%-9s%s %.*s  %s via %s  %.*s+%.*s tokens  $%.*s  %.0f ms",
           history_text(json_find(r, "time"), time, sizeof time),
           terminal_style(stdout, style_of(status)), status, terminal_style(stdout, STYLE_NONE),
           SPAN_FMT(json_find(r, "http_status")),
           or_dash(history_text(json_find(r, "model"), model, sizeof model)),
           or_dash(history_text(json_find(r, "endpoint"), endpoint, sizeof endpoint)),
           SPAN_FMT(json_find(r, "input_tokens")), SPAN_FMT(json_find(r, "output_tokens")),
           SPAN_FMT(json_find(r, "final_cost")), history_number(json_find(r, "duration_ms")));
    if (history_number(ttft) > 0)
        printf(" (first %.0f)", history_number(ttft));
    printf("  key %s%s%s  %s%s%s\n", or_dash(key_of(r, key, sizeof key)),
           error[0] != '\0' ? "  " : "", error, terminal_style(stdout, STYLE_DIM),
           history_text(json_find(r, "request_id"), id, sizeof id),
           terminal_style(stdout, STYLE_NONE));
}

static void print_record(const struct tail *t, struct span record)
{
    if (cli_flag(t->cli, "json"))
        printf("%.*s\n", SPAN_FMT(record));
    else
        print_line(record);
}

/* ── pages ───────────────────────────────────────────────────────────────────────────────────── */

static bool was_seen(struct tail *t, struct span record)
{
    char id[40];
    unsigned n = t->nseen < SEEN_MAX ? t->nseen : SEEN_MAX;
    if (json_string(json_find(record, "request_id"), id, sizeof id) != ID_BYTES)
        return true; /* none of ours */
    for (unsigned i = 0; i < n; i++) {
        if (memcmp(t->seen[(t->nseen - 1 - i) % SEEN_MAX], id, ID_BYTES) == 0)
            return true;
    }
    memcpy(t->seen[t->nseen++ % SEEN_MAX], id, ID_BYTES);
    return false;
}

static uint64_t time_of(struct span record)
{
    char text[40];
    uint64_t unix_ms = 0;
    history_text(json_find(record, "time"), text, sizeof text);
    (void)timestamp_read(span_text(text), &unix_ms);
    return unix_ms;
}

static void print_new(struct tail *t, const struct span *records, unsigned n)
{
    while (n > 0) {
        struct span record = records[--n];
        uint64_t unix_ms = time_of(record);
        if (unix_ms > t->newest_unix_ms)
            t->newest_unix_ms = unix_ms;
        if (unix_ms >= t->floor_unix_ms && !was_seen(t, record))
            print_record(t, record);
    }
}

static bool ask(struct tail *t, unsigned limit, uint64_t from_unix_ms, const char *cursor,
                int *code)
{
    static const char *const filters[] = {"model", "provider", "key", "status", NULL};
    struct history_path path = {0};
    char number[16];
    snprintf(number, sizeof number, "%u", limit);
    history_path_begin(&path, t->caller, "logs");
    history_path_add(&path, "limit", number);
    history_path_add(&path, "cursor", cursor);
    if (from_unix_ms > 0)
        history_path_add_time(&path, "from", from_unix_ms);
    history_path_add_options(&path, t->cli, filters);
    bool ok = history_get(t->caller, &path, &t->page, code);
    buf_fini(&path.text);
    return ok;
}

/* Up to `most` records since then, over as many pages as they take; the newest are at the end of what
 * is printed. */
static bool show(struct tail *t, unsigned most, uint64_t from_unix_ms, int *code)
{
    struct buf pages[PAGES_MAX] = {{0}};
    struct span *records = calloc(most + PAGE, sizeof *records), record;
    char cursor[200] = "";
    unsigned n = 0, npages = 0;
    bool ok = records != NULL;
    do {
        unsigned limit = most - n < PAGE ? most - n : PAGE;
        ok = ok && ask(t, limit, from_unix_ms, cursor[0] != '\0' ? cursor : NULL, code);
        if (!ok)
            break;
        pages[npages] = t->page;
        t->page = (struct buf){0};
        struct span page = buf_span(&pages[npages++]);
        for (size_t at = 0; n < most && json_each(json_find(page, "data"), &at, &record);)
            records[n++] = record;
        history_text(json_find(page, "next_cursor"), cursor, sizeof cursor);
    } while (cursor[0] != '\0' && n < most && npages < PAGES_MAX);
    if (ok)
        print_new(t, records, n);
    for (unsigned i = 0; i < npages; i++)
        buf_fini(&pages[i]);
    free(records);
    fflush(stdout);
    return ok;
}

static int follow(struct tail *t)
{
    static const struct timespec pause = {.tv_sec = POLL_MS / 1000};
    int code = EXIT_OK;
    t->floor_unix_ms = t->newest_unix_ms;
    while (ferror(stdout) == 0) {
        uint64_t newest = t->newest_unix_ms;
        nanosleep(&pause, NULL);
        if (!show(t, PAGES_MAX * PAGE, newest > OVERLAP_MS ? newest - OVERLAP_MS : 0, &code))
            return code;
    }
    return terminal_finish();
}

/* ── the verb ────────────────────────────────────────────────────────────────────────────────── */

static int run(struct tail *t, uint64_t since_unix_ms)
{
    uint64_t most = LAST;
    int code = EXIT_OK;
    const char *limit = cli_text(t->cli, "limit");
    if (limit != NULL &&
        (!span_to_u64(span_text(limit), &most) || most == 0 || most > PAGES_MAX * PAGE)) {
        terminal_error("--limit is a number from 1 to %d", PAGES_MAX * PAGE);
        return EXIT_USAGE;
    }
    if (limit == NULL && since_unix_ms > 0)
        most = PAGES_MAX * PAGE;
    if (!show(t, (unsigned)most, since_unix_ms, &code))
        return code;
    return cli_flag(t->cli, "follow") ? follow(t) : terminal_finish();
}

int verb_logs(int argc, char **argv)
{
    struct cli cli;
    uint64_t since_unix_ms = 0;
    int code;
    if (!cli_parse(&cli, "logs", argc, argv))
        return cli.status;
    if (cli_text(&cli, "since") != NULL && !history_since(&cli, "", &since_unix_ms))
        return EXIT_USAGE;
    struct tail t = {.cli = &cli, .caller = caller_open(&cli, &code)};
    if (t.caller == NULL)
        return code;
    t.seen = xcalloc(SEEN_MAX, sizeof *t.seen);
    code = run(&t, since_unix_ms);
    buf_fini(&t.page);
    free(t.seen);
    caller_close(t.caller);
    return code;
}
