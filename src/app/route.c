#include "caller.h"
#include "loaded.h"
#include "terminal.h"
#include "verbs.h"

#include "sluice/base/rng.h"
#include "sluice/catalog/catalog.h"
#include "sluice/format/json_walk.h"
#include "sluice/route/explanation.h"
#include "sluice/route/question.h"

#include <stdlib.h>

/* `sluice route explain`: a request is made up, and explained here or by a running gateway; both give
 * the same object, and the table is made of that. */

enum { PROMPT_TOKENS = 1000, TIMEOUT_MS = 10000 };

static void must(int rc)
{
    if (rc < 0)
        abort(); /* as large as the configuration */
}

/* ── the request ─────────────────────────────────────────────────────────────────────────────── */

static bool is_json(const char *text)
{
    struct span rest = span_text(text);
    struct json_scan scan;
    enum json_status status;
    json_scan_init(&scan);
    while ((status = json_scan_next(&scan, &rest)) == JSON_MEMBER)
        ;
    return status != JSON_INVALID && json_scan_finish(&scan);
}

static bool add_number(const struct cli *cli, const char *option, const char *member,
                       uint64_t otherwise, struct buf *out)
{
    const char *text = cli_text(cli, option);
    uint64_t n = otherwise;
    if (text != NULL && !span_to_u64(span_text(text), &n)) {
        terminal_error("--%s must be a whole number", option);
        return false;
    }
    if (n > 0)
        must(buf_addf(out, ",\"%s\":%llu", member, (unsigned long long)n));
    return true;
}

/* A request like any other, without a word in it. False when an option is no good, which was said. */
static bool write_request(const struct cli *cli, struct buf *out)
{
    const char *prefs = cli_text(cli, "prefs");
    must(buf_add_text(out, "{\"model\":\""));
    must(buf_add_json(out, span_text(cli->args[0])));
    must(buf_add_byte(out, '"'));
    if (prefs != NULL && !is_json(prefs)) {
        terminal_error("--prefs is no JSON: write an object such as '{\"sort\":\"price\"}'");
        return false;
    }
    if (prefs != NULL)
        must(buf_addf(out, ",\"provider\":%s", prefs));
    if (cli_flag(cli, "tools"))
        must(buf_add_text(out, ",\"tools\":[{}]"));
    if (!add_number(cli, "tokens", "prompt_tokens", PROMPT_TOKENS, out) ||
        !add_number(cli, "max-tokens", "max_tokens", 0, out))
        return false;
    must(buf_add_byte(out, '}'));
    return true;
}

/* ── explained here ──────────────────────────────────────────────────────────────────────────── */

static void look(void *arg, const struct target *t, struct target_health *out)
{
    static const struct quantiles nothing;
    (void)arg;
    (void)t;
    *out = (struct target_health){.latency = &nothing, .throughput = &nothing};
}

static bool explain(const struct snapshot *s, const struct catalog *c, struct span body,
                    struct arena *a, struct buf *out, struct fault *why)
{
    struct openai_request r;
    struct preferences preferences;
    struct json_member m;
    struct plan plan;
    uint64_t tokens = 0;
    struct plan_question q = {.catalog = c, .tells_all = true, .look = look};
    rng_secret_bytes(&q.seed, sizeof q.seed);
    if (json_get(body, "prompt_tokens", &m))
        (void)json_u64(json_value(body, &m), &tokens);
    if (!openai_request_read(body, API_CHAT, a, &r, why) ||
        !question_read(s, &r, tokens, a, &preferences, &q, why))
        return false;
    bool made = plan_make(&q, a, a, &plan, why);
    must(explanation_write(&q, &plan, made ? NULL : why, out));
    return true;
}

static int explain_here(const struct cli *cli, struct span body, struct buf *out)
{
    struct arena a;
    struct fault why;
    struct snapshot *s = snapshot_for_verb(cli, true);
    if (s == NULL)
        return EXIT_BAD_CONFIG;
    struct catalog *c = catalog_new(s);
    arena_init(&a, NULL, 1024);
    bool ok = explain(s, c, body, &a, out, &why);
    if (!ok)
        terminal_error("%s", why.message);
    arena_fini(&a);
    catalog_free(c);
    snapshot_unref(s);
    return ok ? EXIT_OK : EXIT_USAGE;
}

/* ── or there ────────────────────────────────────────────────────────────────────────────────── */

static int refuse(unsigned status, struct span answer)
{
    char message[700];
    caller_text(json_find(json_find(answer, "error"), "message"), message, sizeof message);
    if (message[0] != '\0')
        terminal_error("%s (%u)", message, status);
    else
        terminal_error("the answer is %u, and not from a sluice that explains", status);
    return status == 400 ? EXIT_USAGE : caller_exit_code(status);
}

static int explain_there(const struct cli *cli, struct span body, struct buf *out)
{
    char path[300];
    const char *key;
    int code;
    struct err why = {0};
    unsigned status;
    if (!caller_key("SLUICE_API_KEY", &key))
        return EXIT_USAGE;
    struct caller *c = caller_open(cli, &code);
    if (c == NULL)
        return code;
    snprintf(path, sizeof path, "%s/route/explain", caller_url(c)->prefix);
    const struct caller_request request = {"POST", path, key, body, TIMEOUT_MS};
    enum call_end end = caller_fetch(c, &request, &status, out, &why);
    code = EXIT_OK;
    if (end != CALL_ANSWERED) {
        terminal_error("%s: %s", caller_url_text(c), why.text);
        code = end == CALL_UNREACHABLE ? EXIT_UNREACHABLE : EXIT_FAILED;
    } else if (status != 200) {
        code = refuse(status, buf_span(out));
    }
    caller_close(c);
    return code;
}

/* ── a table ─────────────────────────────────────────────────────────────────────────────────── */

struct widths {
    int endpoint, model;
};

static void widen(struct span list, struct widths *w)
{
    struct span element;
    for (size_t cursor = 0; json_each(list, &cursor, &element);) {
        int endpoint = (int)json_find(element, "endpoint").len - 2,
            model = (int)json_find(element, "model").len - 2;
        w->endpoint = endpoint > w->endpoint ? endpoint : w->endpoint;
        w->model = model > w->model ? model : w->model;
    }
}

/* A number as it is written, or a dash. */
static void add_figure(struct buf *out, struct span value, int width)
{
    struct span shown = value.len > 0 ? value : SPAN_LIT("-");
    must(buf_addf(out, " %*.*s", width, SPAN_FMT(shown)));
}

/* The same times `unit`, with one decimal. */
static void add_rounded(struct buf *out, struct span value, double unit, int width)
{
    char lexeme[24] = "";
    if (value.len == 0 || value.len >= sizeof lexeme) {
        add_figure(out, SPAN_NONE, width);
        return;
    }
    memcpy(lexeme, value.at, value.len);
    must(buf_addf(out, " %*.1f", width, unit * strtod(lexeme, NULL)));
}

static void add_names(struct buf *out, struct span entry, const struct widths *w)
{
    char endpoint[300], model[300];
    must(buf_addf(out, "%-*s  %-*s", w->endpoint,
                  caller_text(json_find(entry, "endpoint"), endpoint, sizeof endpoint), w->model,
                  caller_text(json_find(entry, "model"), model, sizeof model)));
}

static void add_missing(struct buf *out, struct span missing)
{
    char word[64];
    const char *between = ": ";
    struct span element;
    for (size_t cursor = 0; json_each(missing, &cursor, &element); between = ", ")
        must(buf_addf(out, "%s%s", between, caller_text(element, word, sizeof word)));
}

static void add_planned(struct buf *out, struct span entry, unsigned number, const struct widths *w)
{
    char reason[200];
    must(buf_addf(out, "%2u  ", number));
    add_names(out, entry, w);
    add_figure(out, json_find(entry, "cost_usd"), 12);
    add_figure(out, json_find(json_find(entry, "latency_s"), "p50"), 9);
    add_figure(out, json_find(json_find(entry, "tokens_per_s"), "p50"), 9);
    add_rounded(out, json_find(entry, "reliability"), 100, 6);
    add_rounded(out, json_find(entry, "score"), 1, 6);
    must(buf_addf(out, "  %s%s\n", caller_text(json_find(entry, "reason"), reason, sizeof reason),
                  json_is_true(json_find(entry, "own_key")) ? ", with your own key" : ""));
}

static void add_dropped(struct buf *out, struct span entry, const struct widths *w)
{
    char reason[200];
    must(buf_add_text(out, " -  "));
    add_names(out, entry, w);
    must(buf_addf(out, "  %s", caller_text(json_find(entry, "reason"), reason, sizeof reason)));
    add_missing(out, json_find(entry, "missing"));
    must(buf_add_byte(out, '\n'));
}

static void print_table(struct span explanation)
{
    struct buf out = {0};
    struct widths w = {.endpoint = (int)strlen("ENDPOINT"), .model = (int)strlen("MODEL")};
    struct span plan = json_find(explanation, "plan"), dropped = json_find(explanation, "dropped"),
                entry;
    unsigned number = 0;
    widen(plan, &w);
    widen(dropped, &w);
    for (size_t cursor = 0; json_each(plan, &cursor, &entry);) {
        if (number++ == 0)
            must(buf_addf(&out, " #  %-*s  %-*s %12s %9s %9s %6s %6s  WHY\n", w.endpoint,
                          "ENDPOINT", w.model, "MODEL", "USD", "P50 s", "TOK/s", "OK %", "SCORE"));
        add_planned(&out, entry, number, &w);
    }
    for (size_t cursor = 0; json_each(dropped, &cursor, &entry);)
        add_dropped(&out, entry, &w);
    terminal_write(stdout, buf_span(&out));
    buf_fini(&out);
}

/* A request that nobody would get. */
static int tell_error(struct span error)
{
    char message[700];
    if (error.len == 0)
        return EXIT_OK;
    terminal_error("such a request is answered %.*s: %s", SPAN_FMT(json_find(error, "status")),
                   caller_text(json_find(error, "message"), message, sizeof message));
    return EXIT_FAILED;
}

int verb_route_explain(int argc, char **argv)
{
    struct cli cli;
    struct buf body = {0}, answer = {0};
    if (!cli_parse(&cli, "route explain", argc, argv))
        return cli.status;
    int code = EXIT_USAGE;
    if (write_request(&cli, &body))
        code = cli_text(&cli, "url") != NULL ? explain_there(&cli, buf_span(&body), &answer)
                                             : explain_here(&cli, buf_span(&body), &answer);
    if (code == EXIT_OK) {
        if (cli_flag(&cli, "json")) {
            must(buf_add_byte(&answer, '\n'));
            terminal_write(stdout, buf_span(&answer));
        } else {
            print_table(buf_span(&answer));
        }
        code = terminal_finish();
        if (code == EXIT_OK)
            code = tell_error(json_find(buf_span(&answer), "error"));
    }
    buf_fini(&answer);
    buf_fini(&body);
    return code;
}
