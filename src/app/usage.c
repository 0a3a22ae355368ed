#include "columns.h"
#include "history_caller.h"
#include "terminal.h"
#include "verbs.h"

#include "sluice/format/json_scan.h"
#include "sluice/net/loop.h"

#include <stdlib.h>

/* `sluice usage`: who used how much of a time, and when: the gateway adds up, this draws. */

enum { NAME_MAX_BYTES = 160, BARS_MAX = 60, TITLE_WIDTH = 10 };

static const struct column usage_columns[] = {
    {.title = ""}, /* what it is grouped by */
    {.title = "CALLS", .is_number = true},
    {.title = "OK %", .is_number = true, .may_go = true},
    {.title = "TOKENS IN", .is_number = true},
    {.title = "CACHED %", .is_number = true, .may_go = true},
    {.title = "TOKENS OUT", .is_number = true},
    {.title = "USD", .is_number = true},
    {.title = "P95 s", .is_number = true, .may_go = true},
};
enum { USAGE_COLUMNS = sizeof usage_columns / sizeof usage_columns[0] };

/* ── a table ─────────────────────────────────────────────────────────────────────────────────── */

/* 1234567 is 1,234,567. */
static const char *grouped(struct span digits, struct arena *a)
{
    char *out = arena_alloc(a, 2 * digits.len + 1);
    size_t n = 0;
    for (size_t i = 0; i < digits.len; i++) {
        if (i > 0 && (digits.len - i) % 3 == 0)
            out[n++] = ',';
        out[n++] = (char)digits.at[i];
    }
    return out;
}

static const char *part_of(double part, double all, struct arena *a)
{
    return all > 0 ? arena_printf(a, "%.1f", 100 * part / all) : "-";
}

/* Whole cents are plenty for large amounts, and none of a small one is lost. */
static const char *usd(struct span amount, struct arena *a)
{
    double v = history_number(amount);
    return v >= 100 ? arena_printf(a, "%.2f", v) : arena_printf(a, "%.*s", SPAN_FMT(amount));
}

static void add_row(struct columns *c, const char *name, struct span figures)
{
    struct span tokens = json_find(figures, "tokens"),
                p95 = json_find(json_find(figures, "latency"), "p95");
    struct span in = json_find(tokens, "input");
    double rate = history_number(json_find(figures, "success_rate"));
    const char *cells[USAGE_COLUMNS] = {
        name,
        grouped(json_find(figures, "requests"), c->a),
        arena_printf(c->a, "%.1f", 100 * rate),
        grouped(in, c->a),
        part_of(history_number(json_find(tokens, "cached")), history_number(in), c->a),
        grouped(json_find(tokens, "output"), c->a),
        usd(json_find(figures, "spend"), c->a),
        p95.len > 0 ? arena_printf(c->a, "%.2f", history_number(p95) / 1000) : "-",
    };
    columns_add(c, cells);
}

/* A key by its name, and where another has the same by its id, too. */
static const char *key_label(struct span answer, struct span key, struct arena *a)
{
    char name[NAME_MAX_BYTES], id[NAME_MAX_BYTES], other[NAME_MAX_BYTES];
    struct span group;
    unsigned namesakes = 0;
    history_text(json_find(key, "key"), id, sizeof id);
    if (history_text(json_find(key, "key_name"), name, sizeof name)[0] == '\0')
        return arena_printf(a, "%s", id);
    for (size_t cursor = 0; json_each(json_find(answer, "groups"), &cursor, &group);)
        namesakes += strcmp(history_text(json_find(group, "key_name"), other, sizeof other),
                            name) == 0;
    return namesakes > 1 ? arena_printf(a, "%s (%s)", name, id) : arena_printf(a, "%s", name);
}

static const char *group_label(struct span answer, struct span group, const char *by,
                               struct arena *a)
{
    char name[NAME_MAX_BYTES];
    const char *label = strcmp(by, "key") == 0
                            ? key_label(answer, group, a)
                            : arena_printf(a, "%s",
                                           history_text(json_find(group, by), name, sizeof name));
    return label[0] != '\0' ? label : "-";
}

static void print_table(struct span answer, const char *by, struct arena *a)
{
    struct column titles[USAGE_COLUMNS];
    struct span group;
    memcpy(titles, usage_columns, sizeof titles);
    titles[0].title = strcmp(by, "model") == 0      ? "MODEL"
                      : strcmp(by, "key") == 0      ? "KEY"
                      : strcmp(by, "provider") == 0 ? "PROVIDER"
                      : strcmp(by, "status") == 0   ? "STATUS"
                                                    : "ERROR";
    struct columns c = {.columns = titles, .n = USAGE_COLUMNS, .a = a};
    for (size_t cursor = 0; json_each(json_find(answer, "groups"), &cursor, &group);)
        add_row(&c, group_label(answer, group, by, a), group);
    add_row(&c, "all", json_find(answer, "totals"));
    columns_print(&c, columns_of_terminal(stdout), stdout);
}

/* ── over time ───────────────────────────────────────────────────────────────────────────────── */

/* As many steps as there are, or neighbours added up so that all fit. */
static unsigned squeeze(double *at, unsigned n, unsigned most)
{
    unsigned by = (n + most - 1) / most, kept = 0;
    for (unsigned i = 0; i < n; i += by) {
        double sum = 0;
        for (unsigned k = i; k < n && k < i + by; k++)
            sum += at[k];
        at[kept++] = sum;
    }
    return kept;
}

static void print_bars(const char *title, double *at, unsigned n, const char *unit)
{
    static const char *const bars[] = {"▁", "▂", "▃", "▄", "▅", "▆", "▇", "█"};
    unsigned width = columns_of_terminal(stdout);
    unsigned most = width > 2 * TITLE_WIDTH + 20 && width - TITLE_WIDTH - 20 < BARS_MAX
                        ? width - TITLE_WIDTH - 20
                        : BARS_MAX;
    double highest = 0;
    n = squeeze(at, n, width > 0 && width <= 2 * TITLE_WIDTH + 20 ? 20 : most);
    for (unsigned i = 0; i < n; i++)
        highest = at[i] > highest ? at[i] : highest;
    printf("%-*s%s", TITLE_WIDTH, title, terminal_style(stdout, STYLE_GREEN));
    for (unsigned i = 0; i < n; i++)
        fputs(at[i] <= 0 ? " " : bars[(unsigned)(at[i] / highest * 7.0)], stdout);
    printf("%s  at most %.*f%s\n", terminal_style(stdout, STYLE_NONE), highest < 10 ? 4 : 0,
           highest, unit);
}

static void print_over_time(struct span answer)
{
    enum { STEPS_MAX = 1500 };
    static double tokens[STEPS_MAX], spend[STEPS_MAX];
    struct span item;
    unsigned n = 0;
    for (size_t cursor = 0; n < STEPS_MAX && json_each(json_find(answer, "data"), &cursor, &item);
         n++) {
        tokens[n] = history_number(json_find(json_find(item, "tokens"), "total"));
        spend[n] = history_number(json_find(item, "spend"));
    }
    if (n == 0)
        return;
    print_bars("tokens", tokens, n, "");
    print_bars("spend", spend, n, " USD");
    putchar('\n');
}

/* ── the verb ────────────────────────────────────────────────────────────────────────────────── */

static const char *interval_for(uint64_t span_ms)
{
    const uint64_t hour = 3600 * 1000;
    return span_ms <= 3 * hour ? "minute" : span_ms <= 8 * 24 * hour ? "hour" : "day";
}

static bool ask(struct caller *c, const struct cli *cli, uint64_t from_unix_ms, const char *by,
                struct buf *body, int *code)
{
    static const char *const filters[] = {"model", "provider", "key", NULL};
    struct history_path path = {0};
    history_path_begin(&path, c, "activity");
    history_path_add_time(&path, "from", from_unix_ms);
    history_path_add(&path, "interval", interval_for(clock_unix_ms() - from_unix_ms));
    history_path_add(&path, "group_by", by);
    history_path_add_options(&path, cli, filters);
    bool ok = history_get(c, &path, body, code);
    buf_fini(&path.text);
    return ok;
}

static int show(struct caller *c, const struct cli *cli, uint64_t from_unix_ms, const char *by)
{
    struct buf groups = {0}, steps = {0};
    struct arena a;
    int code = EXIT_OK;
    bool ok = ask(c, cli, from_unix_ms, by, &groups, &code);
    if (ok && cli_flag(cli, "json")) {
        terminal_write(stdout, buf_span(&groups));
        putchar('\n');
    } else if (ok && ask(c, cli, from_unix_ms, NULL, &steps, &code)) {
        arena_init(&a, NULL, 1024);
        print_over_time(buf_span(&steps));
        print_table(buf_span(&groups), by, &a);
        arena_fini(&a);
    }
    buf_fini(&groups);
    buf_fini(&steps);
    return code == EXIT_OK ? terminal_finish() : code;
}

static const char *by_of(const struct cli *cli)
{
    static const char *const words[] = {"model", "key", "provider", "status", "error_type"};
    const char *by = cli_text(cli, "by");
    for (unsigned i = 0; by != NULL && i < sizeof words / sizeof words[0]; i++) {
        if (strcmp(by, words[i]) == 0)
            return by;
    }
    if (by == NULL)
        return "model";
    terminal_error("--by is one of: model, key, provider, status, error_type");
    return NULL;
}

int verb_usage(int argc, char **argv)
{
    struct cli cli;
    uint64_t from_unix_ms;
    int code;
    if (!cli_parse(&cli, "usage", argc, argv))
        return cli.status;
    const char *by = by_of(&cli);
    if (by == NULL || !history_since(&cli, "24h", &from_unix_ms))
        return EXIT_USAGE;
    struct caller *c = caller_open(&cli, &code);
    if (c == NULL)
        return code;
    code = show(c, &cli, from_unix_ms, by);
    caller_close(c);
    return code;
}
