#include "columns.h"
#include "history_caller.h"
#include "terminal.h"
#include "verbs.h"

#include "sluice/base/map.h"
#include "sluice/base/timestamp.h"
#include "sluice/format/json_scan.h"
#include "sluice/meter/cost.h"
#include "sluice/meter/provider_bill.h"

#include <errno.h>
#include <stdlib.h>

/* `sluice audit`: a provider's account of a time beside ours, by day and model. Ours is made of the records
 * of calls, which are read as a stream: there may be millions. */

static const uint64_t DAY_MS = 24 * 3600 * 1000;
enum { FILE_MAX_BYTES = 256 * 1024 * 1024, LINE_MAX_BYTES = 64 * 1024 };

struct side {
    bool has_tokens, has_cost;
    uint64_t tokens, cost_pd;
};

/* One day of one model. */
struct entry {
    uint64_t day_unix_ms;
    const char *model;
    struct side ours, theirs;
};

struct audit {
    const struct cli *cli;
    struct arena arena;
    struct map by_key;
    struct entry **entries;
    unsigned n, room;
    uint64_t first_unix_ms, last_unix_ms; /* days of the bill */
    double tolerance;
    struct buf line; /* of our records, unfinished */
    unsigned status; /* of the answer that brings them */
    struct buf problem;
};

static void must(int rc)
{
    if (rc < 0)
        abort(); /* as large as the bill, which was read into memory before */
}

/* ── entries ─────────────────────────────────────────────────────────────────────────────────── */

static bool are_digits(struct span text)
{
    uint64_t ignored;
    return span_to_u64(text, &ignored);
}

/* A bill names the very version that a name stood for: "-2024-07-18", "-20250929", "-latest". */
static struct span without_version(struct span model)
{
    struct span tail = span_sub(model, model.len >= 11 ? model.len - 11 : model.len, 11);
    if (tail.len == 11 && tail.at[0] == '-' && tail.at[5] == '-' && tail.at[8] == '-' &&
        are_digits(span_sub(tail, 1, 4)) && are_digits(span_sub(tail, 6, 2)))
        return span_sub(model, 0, model.len - 11);
    tail = span_sub(model, model.len >= 9 ? model.len - 9 : model.len, 9);
    if (tail.len == 9 && tail.at[0] == '-' && are_digits(span_skip(tail, 1)))
        return span_sub(model, 0, model.len - 9);
    if (model.len > 7 && span_eq(span_skip(model, model.len - 7), SPAN_LIT("-latest")))
        return span_sub(model, 0, model.len - 7);
    return model;
}

static struct entry *entry_of(struct audit *a, uint64_t day_unix_ms, struct span model)
{
    struct span name = without_version(model);
    const char *key = arena_printf(&a->arena, "%llu %.*s", (unsigned long long)day_unix_ms,
                                   SPAN_FMT(name));
    struct entry *e = map_get(&a->by_key, span_text(key));
    if (e != NULL)
        return e;
    if (a->n == a->room) {
        a->room = a->room > 0 ? 2 * a->room : 64;
        struct entry **wider = realloc(a->entries, a->room * sizeof(void *));
        if (wider == NULL)
            abort();
        a->entries = wider;
    }
    e = ARENA_NEW(&a->arena, struct entry);
    e->day_unix_ms = day_unix_ms;
    e->model = name.len > 0 ? arena_printf(&a->arena, "%.*s", SPAN_FMT(name)) : "(no model)";
    must(map_put(&a->by_key, span_text(key), e));
    return a->entries[a->n++] = e;
}

/* ── their side ──────────────────────────────────────────────────────────────────────────────── */

static void take_line(void *arg, const struct bill_line *line)
{
    struct audit *a = arg;
    struct side *s = &entry_of(a, line->day_unix_ms, line->model)->theirs;
    s->has_tokens |= line->has_tokens;
    s->has_cost |= line->has_cost;
    s->tokens += line->input + line->output;
    s->cost_pd += line->cost_pd;
    if (line->day_unix_ms < a->first_unix_ms)
        a->first_unix_ms = line->day_unix_ms;
    if (line->day_unix_ms > a->last_unix_ms)
        a->last_unix_ms = line->day_unix_ms;
}

static bool read_all(FILE *file, struct buf *out)
{
    char piece[16 * 1024];
    while (feof(file) == 0) {
        size_t n = fread(piece, 1, sizeof piece, file);
        if (ferror(file) != 0 || buf_len(out) + n > FILE_MAX_BYTES ||
            buf_add(out, span_of(piece, n)) < 0)
            return false;
    }
    return true;
}

static bool read_file(const char *name, struct buf *out)
{
    bool is_stdin = strcmp(name, "-") == 0;
    FILE *file = is_stdin ? stdin : fopen(name, "rb");
    if (file == NULL) {
        terminal_error("%s: %s", name, strerror(errno));
        return false;
    }
    bool ok = read_all(file, out);
    if (!ok)
        terminal_error("%s: cannot be read, or is larger than %d MB", name,
                       FILE_MAX_BYTES / 1024 / 1024);
    if (!is_stdin)
        fclose(file);
    return ok;
}

static bool read_bill(struct audit *a)
{
    const char *name = a->cli->args[0];
    struct buf text = {0};
    struct err why = {0};
    bool is_part = false;
    bool ok = read_file(name, &text);
    if (ok && provider_bill_read(buf_span(&text), take_line, a, &is_part, &why) < 0) {
        terminal_error("%s: %s", name, why.text);
        ok = false;
    }
    if (is_part)
        terminal_error(
            "%s: it is one page of several (has_more): what the others say will be missing", name);
    buf_fini(&text);
    return ok;
}

/* ── our side ────────────────────────────────────────────────────────────────────────────────── */

static void take_record(struct audit *a, struct span record)
{
    char time[40], model[300];
    uint64_t at, input = 0, output = 0, cost = 0;
    struct span upstream = json_find(record, "upstream_model");
    history_text(json_find(record, "time"), time, sizeof time);
    if (timestamp_read(span_text(time), &at) != NULL || upstream.len == 0 ||
        json_is_true(json_find(record, "is_byok")) || at < a->first_unix_ms ||
        at >= a->last_unix_ms + DAY_MS)
        return;
    (void)json_u64(json_find(record, "input_tokens"), &input);
    (void)json_u64(json_find(record, "output_tokens"), &output);
    (void)bill_dollars(json_find(record, "final_cost"), &cost);
    if (input + output + cost == 0)
        return; /* refused, say: no bill mentions it */
    history_text(upstream, model, sizeof model);
    struct side *s = &entry_of(a, at / DAY_MS * DAY_MS, span_text(model))->ours;
    s->tokens += input + output;
    s->cost_pd += cost;
}

static bool take_bytes(void *arg, struct span bytes)
{
    struct audit *a = arg;
    if (a->status != 200)
        return buf_len(&a->problem) < LINE_MAX_BYTES && buf_add(&a->problem, bytes) == 0;
    while (bytes.len > 0) {
        size_t end = span_find(bytes, SPAN_LIT("\n"));
        struct span part = span_sub(bytes, 0, end);
        if (buf_len(&a->line) + part.len > LINE_MAX_BYTES || buf_add(&a->line, part) < 0)
            return false;
        if (end == SIZE_MAX)
            return true;
        take_record(a, buf_span(&a->line));
        buf_clear(&a->line);
        bytes = span_skip(bytes, end + 1);
    }
    return true;
}

static void take_head(void *arg, const struct http_head *head)
{
    ((struct audit *)arg)->status = head->status;
}

static bool provider_is_asked_for(const struct audit *a, struct span record)
{
    const char *wanted = cli_text(a->cli, "provider");
    char name[160];
    return wanted == NULL ||
           strcmp(history_text(json_find(record, "provider"), name, sizeof name), wanted) == 0;
}

static bool read_records(struct audit *a, const char *name)
{
    struct buf text = {0};
    bool ok = read_file(name, &text);
    struct span rest = buf_span(&text);
    while (ok && rest.len > 0) {
        struct span line = span_cut(&rest, '\n');
        if (provider_is_asked_for(a, line))
            take_record(a, line);
    }
    buf_fini(&text);
    return ok;
}

static bool ask_gateway(struct audit *a, int *code)
{
    static const struct caller_events events = {take_head, take_bytes};
    struct history_path path = {0};
    struct err why = {0};
    const char *key;
    if (!history_key(&key)) {
        *code = EXIT_USAGE;
        return false;
    }
    struct caller *c = caller_open(a->cli, code);
    if (c == NULL)
        return false;
    history_path_begin(&path, c, "logs/export");
    history_path_add_time(&path, "from", a->first_unix_ms);
    history_path_add_time(&path, "to", a->last_unix_ms + DAY_MS);
    history_path_add(&path, "provider", cli_text(a->cli, "provider"));
    must(buf_add_byte(&path.text, '\0'));
    const struct caller_request request = {"GET", (const char *)path.text.at, key};
    enum call_end end = caller_ask(c, &request, &events, a, &why);
    bool ok = end == CALL_ANSWERED && a->status == 200;
    if (end == CALL_STOPPED)
        err_set(&why, "a record is longer than any of ours");
    if (!ok)
        *code = history_tell(c, end, a->status, buf_span(&a->problem), &why);
    buf_fini(&path.text);
    caller_close(c);
    return ok;
}

/* ── the comparison ──────────────────────────────────────────────────────────────────────────── */

static bool differs(const struct audit *a, uint64_t ours, uint64_t theirs)
{
    double gap = ours > theirs ? (double)(ours - theirs) : (double)(theirs - ours);
    double larger = (double)(ours > theirs ? ours : theirs);
    return gap > a->tolerance * larger;
}

/* A bill of tokens says nothing of dollars, and the other way round. */
static bool tokens_differ(const struct audit *a, const struct entry *e, bool compared)
{
    return compared && differs(a, e->ours.tokens, e->theirs.tokens);
}

static bool costs_differ(const struct audit *a, const struct entry *e, bool compared)
{
    return compared && differs(a, e->ours.cost_pd, e->theirs.cost_pd);
}

static int by_day_and_model(const void *x, const void *y)
{
    const struct entry *a = *(struct entry *const *)x, *b = *(struct entry *const *)y;
    if (a->day_unix_ms != b->day_unix_ms)
        return a->day_unix_ms < b->day_unix_ms ? -1 : 1;
    return strcmp(a->model, b->model);
}

/* What the whole bill speaks of: an entry it lacks is nothing then, and not unknown. */
static struct side spoken_of(const struct audit *a)
{
    struct side all = {0};
    for (unsigned i = 0; i < a->n; i++) {
        all.has_tokens |= a->entries[i]->theirs.has_tokens;
        all.has_cost |= a->entries[i]->theirs.has_cost;
    }
    return all;
}

static const char *usd(uint64_t pd, struct arena *a)
{
    struct buf text = {0};
    must(cost_write_usd(pd, &text));
    const char *kept = arena_printf(a, "%.*s", SPAN_FMT(buf_span(&text)));
    buf_fini(&text);
    return kept;
}

static const char *gap_of(bool compared, bool is_different, uint64_t ours, uint64_t theirs,
                          const char *(*write)(uint64_t n, struct arena *a), struct arena *a)
{
    if (!compared)
        return "-";
    if (!is_different)
        return "ok";
    return arena_printf(a, "%s%s", theirs > ours ? "+" : "-",
                        write(theirs > ours ? theirs - ours : ours - theirs, a));
}

static const char *whole(uint64_t n, struct arena *a)
{
    return arena_printf(a, "%llu", (unsigned long long)n);
}

static const char *day_text(uint64_t unix_ms, struct arena *a)
{
    char text[TIMESTAMP_BYTES];
    timestamp_write(unix_ms, text);
    return arena_printf(a, "%.10s", text);
}

static const struct column audit_columns[] = {
    {.title = "MODEL"},
    {.title = "DAY"},
    {.title = "OUR TOKENS", .is_number = true},
    {.title = "THEIRS", .is_number = true},
    {.title = "DIFFERENCE", .is_number = true},
    {.title = "OUR USD", .is_number = true},
    {.title = "THEIRS", .is_number = true},
    {.title = "DIFFERENCE", .is_number = true},
};

static void add_row(struct audit *a, struct columns *c, const struct entry *e, const char *day,
                    struct side spoken)
{
    bool tokens = tokens_differ(a, e, spoken.has_tokens),
         costs = costs_differ(a, e, spoken.has_cost);
    const char *cells[] = {
        e->model,
        day,
        whole(e->ours.tokens, c->a),
        spoken.has_tokens ? whole(e->theirs.tokens, c->a) : "-",
        gap_of(spoken.has_tokens, tokens, e->ours.tokens, e->theirs.tokens, whole, c->a),
        usd(e->ours.cost_pd, c->a),
        spoken.has_cost ? usd(e->theirs.cost_pd, c->a) : "-",
        gap_of(spoken.has_cost, costs, e->ours.cost_pd, e->theirs.cost_pd, usd, c->a),
    };
    columns_add(c, cells);
}

static void print_table(struct audit *a, struct side spoken)
{
    struct columns c = {.columns = audit_columns, .n = 8, .a = &a->arena};
    struct entry all = {.model = "all"};
    for (unsigned i = 0; i < a->n; i++) {
        const struct entry *e = a->entries[i];
        add_row(a, &c, e, day_text(e->day_unix_ms, &a->arena), spoken);
        all.ours.tokens += e->ours.tokens;
        all.ours.cost_pd += e->ours.cost_pd;
        all.theirs.tokens += e->theirs.tokens;
        all.theirs.cost_pd += e->theirs.cost_pd;
    }
    add_row(a, &c, &all, "", spoken);
    columns_print(&c, columns_of_terminal(stdout), stdout);
}

static void print_json(struct audit *a, struct side spoken)
{
    struct buf out = {0};
    must(buf_add_text(&out, "["));
    for (unsigned i = 0; i < a->n; i++) {
        const struct entry *e = a->entries[i];
        must(buf_addf(&out, "%s{\"day\":\"%s\",\"model\":\"", i > 0 ? ",\n " : "",
                      day_text(e->day_unix_ms, &a->arena)));
        must(buf_add_json(&out, span_text(e->model)));
        must(buf_addf(&out,
                      "\",\"our_tokens\":%llu,\"their_tokens\":%s,\"our_usd\":%s,\"their_usd\":%s",
                      (unsigned long long)e->ours.tokens,
                      spoken.has_tokens ? whole(e->theirs.tokens, &a->arena) : "null",
                      usd(e->ours.cost_pd, &a->arena),
                      spoken.has_cost ? usd(e->theirs.cost_pd, &a->arena) : "null"));
        bool is_different = tokens_differ(a, e, spoken.has_tokens) ||
                            costs_differ(a, e, spoken.has_cost);
        must(buf_addf(&out, ",\"differs\":%s}", is_different ? "true" : "false"));
    }
    must(buf_add_text(&out, "]\n"));
    terminal_write(stdout, buf_span(&out));
    buf_fini(&out);
}

static int report(struct audit *a)
{
    struct side spoken = spoken_of(a);
    unsigned different = 0;
    if (a->n > 0)
        qsort(a->entries, a->n, sizeof(void *), by_day_and_model);
    for (unsigned i = 0; i < a->n; i++)
        different += tokens_differ(a, a->entries[i], spoken.has_tokens) ||
                     costs_differ(a, a->entries[i], spoken.has_cost);
    if (cli_flag(a->cli, "json")) {
        print_json(a, spoken);
    } else {
        print_table(a, spoken);
        printf(different > 0 ? "%u of %u differ\n" : "%u of %u differ: the bill is ours\n",
               different, a->n);
    }
    int code = terminal_finish();
    return code == EXIT_OK && different > 0 ? EXIT_FAILED : code;
}

/* ── the verb ────────────────────────────────────────────────────────────────────────────────── */

/* "0.5%" or "0.005". */
static bool read_tolerance(struct audit *a)
{
    const char *text = cli_text(a->cli, "tolerance");
    char *end;
    if (text == NULL)
        return true;
    a->tolerance = strtod(text, &end);
    if (*end == '%') {
        a->tolerance /= 100;
        end++;
    }
    if (*end == '\0' && end != text && a->tolerance >= 0 && a->tolerance <= 1)
        return true;
    terminal_error("--tolerance is a share: 0.5%%, or 0.005");
    return false;
}

static int run(struct audit *a)
{
    const char *records = cli_text(a->cli, "records");
    int code = EXIT_FAILED;
    if (!read_tolerance(a))
        return EXIT_USAGE;
    if (!read_bill(a))
        return EXIT_FAILED;
    if (a->n == 0) {
        terminal_error("%s: there is nothing in it to compare", a->cli->args[0]);
        return EXIT_FAILED;
    }
    bool ok = records != NULL ? read_records(a, records) : ask_gateway(a, &code);
    return ok ? report(a) : code;
}

int verb_audit(int argc, char **argv)
{
    struct cli cli;
    if (!cli_parse(&cli, "audit", argc, argv))
        return cli.status;
    struct audit a = {.cli = &cli, .first_unix_ms = UINT64_MAX};
    arena_init(&a.arena, NULL, 4096);
    int code = run(&a);
    map_fini(&a.by_key);
    free(a.entries);
    buf_fini(&a.line);
    buf_fini(&a.problem);
    arena_fini(&a.arena);
    return code;
}
