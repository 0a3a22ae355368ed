#include "key_calls.h"

#include "caller.h"
#include "columns.h"
#include "terminal.h"
#include "verbs.h"

#include "sluice/format/json_out.h"
#include "sluice/format/json_scan.h"

#include <stdlib.h>

/* A secret comes back once: it goes to stdout, alone, and all that is said of it to stderr. */

enum { TIMEOUT_MS = 10000, TEXT_MAX = 512, PAGES_MAX = 100 };

/* ── asking ──────────────────────────────────────────────────────────────────────────────────── */

struct call {
    struct caller *caller;
    const char *key;
    struct buf answer;
};

static bool find_key(const char **out)
{
    if (!caller_key("SLUICE_ADMIN_TOKEN", out))
        return false;
    return *out != NULL || caller_key("SLUICE_API_KEY", out);
}

/* False: *code is what the verb returns. */
static bool call_open(struct call *c, const struct cli *cli, int *code)
{
    *c = (struct call){.caller = NULL};
    *code = EXIT_USAGE;
    if (find_key(&c->key))
        c->caller = caller_open(cli, code);
    return c->caller != NULL;
}

static int call_close(struct call *c, int code)
{
    caller_close(c->caller);
    buf_fini_wiped(&c->answer);
    return code;
}

static int refuse(const struct call *c, unsigned status)
{
    char message[TEXT_MAX];
    caller_text(json_find(json_find(buf_span(&c->answer), "error"), "message"), message,
                sizeof message);
    if (message[0] == '\0')
        terminal_error("the answer is %u, and not from a sluice that keeps keys", status);
    else if (status == 401 || status == 403)
        terminal_error("%s (%u)\nSet SLUICE_ADMIN_TOKEN for a listener that serves admin, or "
                       "SLUICE_API_KEY to a key with scope: admin.",
                       message, status);
    else
        terminal_error("%s (%u)", message, status);
    return status == 400 ? EXIT_USAGE : caller_exit_code(status);
}

/* `path` is what stands behind /v1/keys. EXIT_OK with the answer in c->answer; else it was explained. */
static int ask(struct call *c, const char *method, const char *path, struct span body)
{
    char whole[600];
    struct err why = {0};
    unsigned status;
    snprintf(whole, sizeof whole, "%s/v1/keys%s", caller_url(c->caller)->root, path);
    const struct caller_request request = {method, whole, c->key, body, TIMEOUT_MS};
    buf_clear(&c->answer);
    enum call_end end = caller_fetch(c->caller, &request, &status, &c->answer, &why);
    if (end == CALL_ANSWERED)
        return status / 100 == 2 ? EXIT_OK : refuse(c, status);
    terminal_error("%s: %s", caller_url_text(c->caller), why.text);
    return end == CALL_UNREACHABLE ? EXIT_UNREACHABLE : EXIT_FAILED;
}

/* About one key. `more` stands behind its id in the path. */
static int ask_about(struct call *c, const struct cli *cli, const char *method, const char *more,
                     struct span body)
{
    static const char letters[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_";
    const char *id = cli->args[0];
    char path[100];
    if (id[0] == '\0' || strlen(id) > 64 || strspn(id, letters) != strlen(id)) {
        terminal_error("\"%.100s\" is not the id of a key: `sluice keys list` shows them", id);
        return EXIT_USAGE;
    }
    snprintf(path, sizeof path, "/%s%s", id, more);
    return ask(c, method, path, body);
}

static int print_json(const struct buf *answer)
{
    terminal_write(stdout, buf_span(answer));
    putchar('\n');
    return terminal_finish();
}

static struct span member(const struct call *c, const char *name)
{
    return json_find(buf_span(&c->answer), name);
}

/* ── a new secret ────────────────────────────────────────────────────────────────────────────── */

static int print_secret(const struct call *c, bool as_json, const char *what)
{
    char id[TEXT_MAX], name[TEXT_MAX], key[TEXT_MAX], until[TEXT_MAX];
    if (as_json)
        return print_json(&c->answer);
    caller_text(member(c, "key"), key, sizeof key);
    fprintf(stderr, "%s %s (%s). It is shown once.\n", what,
            caller_text(member(c, "id"), id, sizeof id),
            caller_text(member(c, "name"), name, sizeof name));
    caller_text(member(c, "previous_valid_until"), until, sizeof until);
    if (until[0] != '\0')
        fprintf(stderr, "The one before works until %s.\n", until);
    puts(key);
    explicit_bzero(key, sizeof key);
    return terminal_finish();
}

static void add_text(struct json_out *o, const char *name, const char *text)
{
    if (text == NULL)
        return;
    json_out_lit(o, ",");
    json_out_bytes(o, span_text(name));
    json_out_lit(o, ":");
    json_out_bytes(o, span_text(text));
}

static void add_models(struct json_out *o, const char *names)
{
    struct span rest = span_text(names);
    const char *before = ",\"models\":[";
    if (names == NULL)
        return;
    while (rest.len > 0) {
        json_out_span(o, span_text(before));
        json_out_bytes(o, span_trim(span_cut(&rest, ',')));
        before = ",";
    }
    json_out_lit(o, "]");
}

/* False: wrong usage, which was explained. */
static bool write_request(const struct cli *cli, const char *name, struct buf *out)
{
    struct json_out o = json_out_to(out);
    const char *pipeline = cli_text(cli, "pipeline"), *rate = cli_text(cli, "rate-limit");
    uint64_t limit;
    if (pipeline != NULL && cli_flag(cli, "admin")) {
        terminal_error("a key is for a pipeline or for an admin, not for both");
        return false;
    }
    if (rate != NULL && !span_to_u64(span_text(rate), &limit)) {
        terminal_error("--rate-limit is a number of requests a minute");
        return false;
    }
    json_out_lit(&o, "{\"name\":");
    json_out_bytes(&o, span_text(name));
    add_text(&o, "scope",
             pipeline != NULL         ? "pipeline"
             : cli_flag(cli, "admin") ? "admin"
                                      : "workspace");
    add_text(&o, "pipeline_id", pipeline);
    if (rate != NULL) {
        json_out_lit(&o, ",\"rate_limit\":");
        json_out_u64(&o, limit);
    }
    add_models(&o, cli_text(cli, "models"));
    add_text(&o, "expires_at", cli_text(cli, "expires"));
    add_text(&o, "budget_usd", cli_text(cli, "budget"));
    add_text(&o, "budget_period", cli_text(cli, "budget-period"));
    json_out_lit(&o, "}");
    if (o.rc < 0)
        terminal_error("out of memory");
    return o.rc == 0;
}

int key_calls_create(const struct cli *cli, const char *name)
{
    struct call c;
    struct buf body = {0};
    int code = EXIT_USAGE;
    if (write_request(cli, name, &body) && call_open(&c, cli, &code)) {
        code = ask(&c, "POST", "", buf_span(&body));
        if (code == EXIT_OK)
            code = print_secret(&c, cli_flag(cli, "json"), "Created");
        code = call_close(&c, code);
    }
    buf_fini(&body);
    return code;
}

/* "90", "90s", "15m", "24h", "1d" → seconds. */
static bool read_seconds(const char *text, uint64_t *out)
{
    static const struct {
        uint8_t letter;
        unsigned seconds;
    } units[] = {{'s', 1}, {'m', 60}, {'h', 3600}, {'d', 86400}};
    struct span digits = span_text(text);
    unsigned unit = 1;
    for (unsigned i = 0; i < sizeof units / sizeof units[0]; i++) {
        if (digits.len > 1 && digits.at[digits.len - 1] == units[i].letter) {
            unit = units[i].seconds;
            digits.len--;
        }
    }
    if (!span_to_u64(digits, out) || *out > 86400 / unit)
        return false;
    *out *= unit;
    return true;
}

int verb_keys_rotate(int argc, char **argv)
{
    struct cli cli;
    struct call c;
    uint64_t seconds = 0;
    char body[64];
    int code;
    if (!cli_parse(&cli, "keys rotate", argc, argv))
        return cli.status;
    const char *overlap = cli_text(&cli, "overlap");
    if (overlap != NULL && !read_seconds(overlap, &seconds)) {
        terminal_error("--overlap is a time of at most a day: 30s, 15m, 24h");
        return EXIT_USAGE;
    }
    if (!call_open(&c, &cli, &code))
        return code;
    int n = snprintf(body, sizeof body, "{\"overlap_seconds\":%llu}", (unsigned long long)seconds);
    code = ask_about(&c, &cli, "POST", "/rotate", span_of(body, (size_t)n));
    if (code == EXIT_OK)
        code = print_secret(&c, cli_flag(&cli, "json"), "Rotated");
    return call_close(&c, code);
}

/* ── ending and showing one ──────────────────────────────────────────────────────────────────── */

int verb_keys_revoke(int argc, char **argv)
{
    struct cli cli;
    struct call c;
    int code;
    if (!cli_parse(&cli, "keys revoke", argc, argv))
        return cli.status;
    if (!call_open(&c, &cli, &code))
        return code;
    code = ask_about(&c, &cli, "DELETE", "", SPAN_NONE);
    if (code == EXIT_OK && cli_flag(&cli, "json"))
        code = print_json(&c.answer);
    else if (code == EXIT_OK)
        fprintf(stderr, "Revoked %s.\n", cli.args[0]);
    return call_close(&c, code);
}

/* Every member on a line of its own; what is null is left out. */
static int print_one(const struct call *c)
{
    struct buf out = {0};
    char text[TEXT_MAX];
    static const char *const names[] = {"id",
                                        "name",
                                        "source",
                                        "scope",
                                        "pipeline_id",
                                        "prefix",
                                        "last4",
                                        "enabled",
                                        "models",
                                        "plan",
                                        "rate_limit",
                                        "effective_rate_limit",
                                        "tpm",
                                        "concurrency",
                                        "budget_usd",
                                        "budget_period",
                                        "spent_usd",
                                        "expires_at",
                                        "created_at",
                                        "last_used_at",
                                        "previous_valid_until"};
    int rc = 0;
    for (unsigned i = 0; rc == 0 && i < sizeof names / sizeof names[0]; i++) {
        struct span value = member(c, names[i]);
        if (value.len == 0 || span_eq(value, SPAN_LIT("null")))
            continue;
        if (value.at[0] == '"')
            value = span_text(caller_text(value, text, sizeof text));
        rc = buf_addf(&out, "%-20s  %.*s\n", names[i], SPAN_FMT(value));
    }
    terminal_write(stdout, buf_span(&out));
    buf_fini(&out);
    return terminal_finish();
}

int verb_keys_show(int argc, char **argv)
{
    struct cli cli;
    struct call c;
    int code;
    if (!cli_parse(&cli, "keys show", argc, argv))
        return cli.status;
    if (!call_open(&c, &cli, &code))
        return code;
    code = ask_about(&c, &cli, "GET", "", SPAN_NONE);
    if (code == EXIT_OK)
        code = cli_flag(&cli, "json") ? print_json(&c.answer) : print_one(&c);
    return call_close(&c, code);
}

/* ── all of them ─────────────────────────────────────────────────────────────────────────────── */

static const struct column columns[] = {{"ID"},
                                        {"NAME"},
                                        {"SCOPE", .may_go = true},
                                        {"KEY", .may_go = true},
                                        {"STATE"},
                                        {"REQ/MIN", .is_number = true, .may_go = true},
                                        {"SPENT", .is_number = true, .may_go = true},
                                        {"EXPIRES", .may_go = true},
                                        {"LAST USED", .may_go = true}};

/* "sl_live_3fQ9..x2Pz", or where it stands. */
static const char *shown_key(struct arena *a, struct span key)
{
    char prefix[TEXT_MAX], last4[TEXT_MAX];
    caller_text(json_find(key, "prefix"), prefix, sizeof prefix);
    caller_text(json_find(key, "last4"), last4, sizeof last4);
    return prefix[0] == '\0' ? "in the file" : arena_printf(a, "%s..%s", prefix, last4);
}

static const char *cell(struct arena *a, struct span value)
{
    char text[TEXT_MAX];
    if (value.len == 0 || span_eq(value, SPAN_LIT("null")))
        return "-";
    if (value.at[0] != '"')
        return (const char *)arena_keep(a, value).at;
    return (const char *)arena_keep(a, span_text(caller_text(value, text, sizeof text))).at;
}

/* "0.42 of 5"; "-" without a budget. */
static const char *spent(struct arena *a, struct span key)
{
    struct span budget = json_find(key, "budget_usd");
    if (budget.len == 0 || span_eq(budget, SPAN_LIT("null")))
        return "-";
    return arena_printf(a, "%s of %.*s", cell(a, json_find(key, "spent_usd")), SPAN_FMT(budget));
}

static void add_row(struct columns *table, struct span key)
{
    struct arena *a = table->a;
    const char *cells[] = {
        cell(a, json_find(key, "id")),
        cell(a, json_find(key, "name")),
        cell(a, json_find(key, "scope")),
        shown_key(a, key),
        json_is_true(json_find(key, "enabled")) ? "enabled" : "disabled",
        cell(a, json_find(key, "effective_rate_limit")),
        spent(a, key),
        cell(a, json_find(key, "expires_at")),
        cell(a, json_find(key, "last_used_at")),
    };
    columns_add(table, cells);
}

/* Page after page; items are kept in `all`, with commas between. */
static int collect(struct call *c, struct buf *all)
{
    char path[300] = "?limit=100", cursor[200];
    struct span item;
    for (unsigned pages = 0; pages < PAGES_MAX; pages++) {
        int code = ask(c, "GET", path, SPAN_NONE);
        if (code != EXIT_OK)
            return code;
        for (size_t at = 0; json_each(member(c, "data"), &at, &item);) {
            if (buf_add_text(all, buf_len(all) > 1 ? ",\n " : "") < 0 || buf_add(all, item) < 0) {
                terminal_error("out of memory");
                return EXIT_FAILED;
            }
        }
        caller_text(member(c, "next_cursor"), cursor, sizeof cursor);
        if (cursor[0] == '\0')
            return EXIT_OK;
        snprintf(path, sizeof path, "?limit=100&cursor=%s", cursor);
    }
    return EXIT_OK;
}

static int print_table(struct span all)
{
    struct arena a;
    struct span key;
    arena_init(&a, NULL, 4096);
    struct columns table = {columns, sizeof columns / sizeof columns[0], &a};
    for (size_t at = 0; json_each(all, &at, &key);)
        add_row(&table, key);
    columns_print(&table, columns_of_terminal(stdout), stdout);
    arena_fini(&a);
    return terminal_finish();
}

int verb_keys_list(int argc, char **argv)
{
    struct cli cli;
    struct call c;
    struct buf all = {0};
    int code;
    if (!cli_parse(&cli, "keys list", argc, argv))
        return cli.status;
    if (!call_open(&c, &cli, &code))
        return code;
    code = buf_add_byte(&all, '[') < 0 ? EXIT_FAILED : collect(&c, &all);
    if (code == EXIT_OK && buf_add_byte(&all, ']') < 0)
        code = EXIT_FAILED;
    if (code == EXIT_OK && cli_flag(&cli, "json")) {
        printf("{\"data\":%.*s}\n", SPAN_FMT(buf_span(&all)));
        code = terminal_finish();
    } else if (code == EXIT_OK) {
        code = print_table(buf_span(&all));
    }
    buf_fini(&all);
    return call_close(&c, code);
}
