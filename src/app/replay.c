#include "loaded.h"
#include "terminal.h"
#include "verbs.h"

#include "sluice/catalog/catalog.h"
#include "sluice/route/decision.h"

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

/* A file of decisions, one line after the other: each is made again, nothing of it is kept. */

enum { PROGRESS_EVERY = 50000, ARENA_BLOCK = 16 * 1024 };

struct replay {
    const char *name; /* of the file, for messages */
    FILE *file;
    const struct snapshot *snapshot;
    struct catalog *catalog;
    bool is_summary;
    char *line; /* DECISION_MAX bytes */
    uint64_t number, made, elsewhere, damaged;
    uint64_t by_difference[DIFFERENCES];
};

/* ── lines ───────────────────────────────────────────────────────────────────────────────────── */

/* False at the end of the file. A line that is too long is read to its end, and *is_whole false. */
static bool next_line(struct replay *r, struct span *line, bool *is_whole)
{
    size_t n = 0;
    int c = EOF;
    while (!feof(r->file) && (c = getc_unlocked(r->file)) != EOF && c != '\n') {
        if (n < DECISION_MAX)
            r->line[n] = (char)c;
        n++;
    }
    if (c == EOF && n == 0)
        return false;
    *is_whole = n <= DECISION_MAX;
    *line = span_of(r->line, *is_whole ? n : 0);
    r->number++;
    return true;
}

static void show_progress(const struct replay *r)
{
    if (r->number % PROGRESS_EVERY == 0 && isatty(STDERR_FILENO) == 1)
        fprintf(stderr, "\r%llu lines", (unsigned long long)r->number);
}

static void end_progress(const struct replay *r)
{
    if (r->number >= PROGRESS_EVERY && isatty(STDERR_FILENO) == 1)
        fprintf(stderr, "\r%20s\r", "");
}

/* ── one decision ────────────────────────────────────────────────────────────────────────────── */

static void tell_damage(struct replay *r, const char *what)
{
    r->damaged++;
    terminal_error("%s:%llu: %s", r->name, (unsigned long long)r->number, what);
}

static void tell_difference(const struct replay *r, const struct decision *d, const struct plan *p,
                            const struct fault *why)
{
    struct buf text = {0};
    int rc = buf_addf(&text, "%s:%llu: ", r->name, (unsigned long long)r->number);
    if (rc == 0)
        rc = decision_write_difference(d, p, why, &text);
    if (rc == 0)
        rc = buf_add_text(&text, "\n");
    if (rc == 0)
        terminal_write(stdout, buf_span(&text));
    buf_fini(&text);
}

static void replay_line(struct replay *r, struct span line, struct arena *a)
{
    struct decision d;
    struct plan plan;
    struct fault fault;
    struct err problem = {0};
    if (!decision_read(line, a, &d, &problem)) {
        tell_damage(r, problem.text);
        return;
    }
    bool is_other = !span_eq(d.config, span_text(r->snapshot->routing_hash));
    const struct route_weights *weights = is_other ? &r->snapshot->routing.weights : NULL;
    const struct fault *why = decision_remake(&d, r->catalog, weights, a, &plan, &fault) ? NULL
                                                                                         : &fault;
    enum difference v = decision_compare(&d, &plan, why);
    r->made++;
    r->elsewhere += is_other;
    r->by_difference[v]++;
    if (v != DIFFERENCE_NONE && !r->is_summary)
        tell_difference(r, &d, &plan, why);
}

static void replay_all(struct replay *r)
{
    struct span line;
    bool is_whole;
    while (next_line(r, &line, &is_whole)) {
        struct arena a;
        if (is_whole && line.len == 0)
            continue;
        arena_init(&a, NULL, ARENA_BLOCK);
        if (is_whole)
            replay_line(r, line, &a);
        else
            tell_damage(r, "the line is longer than a decision can be");
        arena_fini(&a);
        show_progress(r);
    }
    end_progress(r);
}

/* ── the numbers ─────────────────────────────────────────────────────────────────────────────── */

static void print_share(const struct replay *r, enum difference v, const char *what)
{
    uint64_t n = r->by_difference[v];
    if (n > 0)
        printf("%llu (%.1f %%) %s\n", (unsigned long long)n, 100 * (double)n / (double)r->made,
               what);
}

static void print_summary(const struct replay *r)
{
    if (r->elsewhere > 0)
        printf("%llu of %llu decisions were made under another configuration than %s: this is what "
               "it would change\n",
               (unsigned long long)r->elsewhere, (unsigned long long)r->made,
               r->snapshot->path != NULL ? r->snapshot->path : "the environment's");
    printf("%llu decisions made again, %llu the same\n", (unsigned long long)r->made,
           (unsigned long long)r->by_difference[DIFFERENCE_NONE]);
    print_share(r, DIFFERENCE_FIRST, "go elsewhere");
    print_share(r, DIFFERENCE_LATER, "have the same first endpoint and others behind it");
    print_share(r, DIFFERENCE_REASONS, "have the same endpoints for other reasons");
    if (r->damaged > 0)
        printf("%llu lines could not be read\n", (unsigned long long)r->damaged);
}

static int run(struct replay *r)
{
    replay_all(r);
    if (ferror(r->file)) {
        terminal_error("%s: %s", r->name, strerror(errno));
        return EXIT_FAILED;
    }
    print_summary(r);
    int code = terminal_finish();
    bool is_same = r->by_difference[DIFFERENCE_NONE] == r->made && r->damaged == 0;
    return is_same ? code : EXIT_FAILED;
}

int verb_replay(int argc, char **argv)
{
    struct cli cli;
    if (!cli_parse(&cli, "replay", argc, argv))
        return cli.status;
    bool is_stdin = strcmp(cli.args[0], "-") == 0;
    struct replay r = {
        .name = is_stdin ? "stdin" : cli.args[0],
        .file = is_stdin ? stdin : fopen(cli.args[0], "re"),
        .is_summary = cli_flag(&cli, "summary"),
    };
    if (r.file == NULL) {
        terminal_error("%s: %s", r.name, strerror(errno));
        return EXIT_FAILED;
    }
    struct snapshot *s = snapshot_for_verb(&cli, true);
    int code = EXIT_BAD_CONFIG;
    if (s != NULL) {
        r.snapshot = s;
        r.catalog = catalog_new(s);
        r.line = xcalloc(1, DECISION_MAX);
        code = run(&r);
        free(r.line);
        catalog_free(r.catalog);
    }
    snapshot_unref(s);
    if (!is_stdin)
        (void)fclose(r.file);
    return code;
}
