#include "history_caller.h"

#include "terminal.h"

#include "sluice/base/timestamp.h"
#include "sluice/format/json_scan.h"
#include "sluice/net/loop.h"

#include <stdlib.h>

enum { TIMEOUT_MS = 60000 };

static void must(int rc)
{
    if (rc < 0)
        abort(); /* some hundred bytes */
}

/* ── what is asked ───────────────────────────────────────────────────────────────────────────── */

void history_path_begin(struct history_path *p, const struct caller *c, const char *path)
{
    buf_clear(&p->text);
    p->has_query = false;
    must(buf_addf(&p->text, "%s/v1/%s", caller_url(c)->root, path));
}

static bool is_unreserved(char c) /* RFC 3986 §2.3 */
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
           (c != '\0' && strchr("-._~", c) != NULL);
}

void history_path_add(struct history_path *p, const char *name, const char *value)
{
    if (value == NULL)
        return;
    must(buf_addf(&p->text, "%c%s=", p->has_query ? '&' : '?', name));
    p->has_query = true;
    for (; *value != '\0'; value++) {
        if (is_unreserved(*value))
            must(buf_add_byte(&p->text, (uint8_t)*value));
        else
            must(buf_addf(&p->text, "%%%02X", (unsigned)(uint8_t)*value));
    }
}

void history_path_add_options(struct history_path *p, const struct cli *cli,
                              const char *const *names)
{
    for (; *names != NULL; names++)
        history_path_add(p, *names, cli_text(cli, *names));
}

void history_path_add_time(struct history_path *p, const char *name, uint64_t unix_ms)
{
    char text[TIMESTAMP_BYTES + 1] = "";
    timestamp_write(unix_ms, text);
    history_path_add(p, name, text);
}

bool history_since(const struct cli *cli, const char *otherwise, uint64_t *out_unix_ms)
{
    static const struct {
        char unit;
        uint64_t ms;
    } units[] = {{'s', 1000}, {'m', 60000}, {'h', 3600000}, {'d', 86400000}, {'w', 604800000}};
    const char *given = cli_text(cli, "since");
    const char *text = given != NULL ? given : otherwise;
    size_t len = strlen(text);
    uint64_t n, now = clock_unix_ms();
    for (unsigned i = 0; i < sizeof units / sizeof units[0]; i++) {
        if (len > 1 && text[len - 1] == units[i].unit && span_to_u64(span_of(text, len - 1), &n) &&
            n < now / units[i].ms) {
            *out_unix_ms = now - n * units[i].ms;
            return true;
        }
    }
    if (timestamp_read(span_text(text), out_unix_ms) == NULL)
        return true;
    terminal_error("--since is a time like 90m, 36h or 7d ago, or a date: 2026-01-31, "
                   "2026-01-31T12:00:00Z");
    return false;
}

/* ── asking ──────────────────────────────────────────────────────────────────────────────────── */

bool history_key(const char **key)
{
    if (!caller_key("SLUICE_ADMIN_TOKEN", key))
        return false;
    return *key != NULL || caller_key("SLUICE_API_KEY", key);
}

int history_tell(struct caller *c, enum call_end end, unsigned status, struct span body,
                 const struct err *why)
{
    char message[700];
    if (end != CALL_ANSWERED) {
        terminal_error("%s: %s", caller_url_text(c), why->text);
        return end == CALL_UNREACHABLE ? EXIT_UNREACHABLE : EXIT_FAILED;
    }
    history_text(json_find(json_find(body, "error"), "message"), message, sizeof message);
    if (status == 401 || status == 403)
        terminal_error("records of calls are for who manages: set SLUICE_ADMIN_TOKEN to the admin "
                       "token, or SLUICE_API_KEY to a key with scope: admin (%u)",
                       status);
    else if (message[0] != '\0')
        terminal_error("%s (%u)", message, status);
    else
        terminal_error("the answer is %u, and not from a sluice that keeps records", status);
    return status == 400 ? EXIT_USAGE : caller_exit_code(status);
}

bool history_get(struct caller *c, const struct history_path *p, struct buf *body, int *code)
{
    const char *key;
    struct err why = {0};
    unsigned status;
    if (!history_key(&key)) {
        *code = EXIT_USAGE;
        return false;
    }
    struct buf path = {0};
    must(buf_add(&path, buf_span(&p->text)));
    must(buf_add_byte(&path, '\0'));
    const struct caller_request request = {"GET", (const char *)path.at, key,
                                           .timeout_ms = TIMEOUT_MS};
    buf_clear(body);
    enum call_end end = caller_fetch(c, &request, &status, body, &why);
    buf_fini(&path);
    if (end == CALL_ANSWERED && status == 200)
        return true;
    *code = history_tell(c, end, status, buf_span(body), &why);
    return false;
}

/* ── what comes back ─────────────────────────────────────────────────────────────────────────── */

const char *history_text(struct span value, char *out, size_t size)
{
    long len = json_string(value, out, size - 1);
    out[len < 0 ? 0 : len] = '\0';
    return out;
}

double history_number(struct span value)
{
    char lexeme[40] = "";
    if (value.len == 0 || value.len >= sizeof lexeme)
        return 0;
    memcpy(lexeme, value.at, value.len);
    return strtod(lexeme, NULL);
}
