#include "sluice/meter/provider_bill.h"

#include "sluice/base/arena.h"
#include "sluice/base/timestamp.h"
#include "sluice/format/json_walk.h"

#include <errno.h>
#include <stdlib.h>

static const uint64_t DAY_MS = 24 * 3600 * 1000;

/* --- what may stand in a line --------------------------------------------------------------------- */

enum field {
    DAY,
    MODEL,
    LINE_ITEM,    /* OpenAI's costs: "gpt-4o-mini-2024-07-18, input" */
    INPUT,        /* cached ones among them */
    INPUT_BESIDE, /* another part of the input */
    OUTPUT,
    DOLLARS,
    FIELDS,
};

static const struct {
    const char *name;
    enum field field;
} names[] = {
    {"start_time", DAY},
    {"starting_at", DAY},
    {"start_time_iso", DAY},
    {"usage_date_utc", DAY},
    {"date", DAY},
    {"model", MODEL},
    {"model_version", MODEL},
    {"line_item", LINE_ITEM},
    {"input_tokens", INPUT},
    {"n_context_tokens_total", INPUT},
    {"uncached_input_tokens", INPUT_BESIDE},
    {"cache_read_input_tokens", INPUT_BESIDE},
    {"cache_creation_5m_input_tokens", INPUT_BESIDE},
    {"cache_creation_1h_input_tokens", INPUT_BESIDE},
    {"ephemeral_5m_input_tokens", INPUT_BESIDE},
    {"ephemeral_1h_input_tokens", INPUT_BESIDE},
    {"usage_input_tokens_no_cache", INPUT_BESIDE},
    {"usage_input_tokens_cache_read", INPUT_BESIDE},
    {"usage_input_tokens_cache_write_5m", INPUT_BESIDE},
    {"usage_input_tokens_cache_write_1h", INPUT_BESIDE},
    {"output_tokens", OUTPUT},
    {"n_generated_tokens_total", OUTPUT},
    {"usage_output_tokens", OUTPUT},
    {"amount_value", DOLLARS},
    {"cost_usd", DOLLARS},
};

static enum field field_of(struct span name)
{
    for (unsigned i = 0; i < sizeof names / sizeof names[0]; i++) {
        if (span_eq(name, span_text(names[i].name)))
            return names[i].field;
    }
    return FIELDS;
}

bool bill_dollars(struct span text, uint64_t *out_pd)
{
    char lexeme[64], *end;
    if (text.len == 0 || text.len >= sizeof lexeme)
        return false;
    memcpy(lexeme, text.at, text.len);
    lexeme[text.len] = '\0';
    long double v = strtold(lexeme, &end) * 1e12L + 0.5L;
    if (*end != '\0' || !(v >= 0) || v > 1e18L)
        return false;
    *out_pd = (uint64_t)v;
    return true;
}

/* Seconds since 1970, or a date with or without a time. */
static bool read_day(struct span text, uint64_t *out)
{
    uint64_t n;
    if (span_to_u64(text, &n))
        *out = n * 1000 / DAY_MS * DAY_MS;
    else if (timestamp_read(span_sub(text, 0, 10), &n) == NULL)
        *out = n;
    else
        return false;
    return true;
}

static struct span until_comma(struct span text)
{
    return span_trim(span_cut(&text, ','));
}

/* Text is without quotes. False: it cannot be read. */
static bool set(struct bill_line *line, enum field field, struct span text)
{
    uint64_t n = 0;
    bool is_number = span_to_u64(text, &n);
    switch (field) {
    case DAY:
        return text.len == 0 || read_day(text, &line->day_unix_ms);
    case MODEL:
        line->model = text;
        return true;
    case LINE_ITEM:
        if (line->model.len == 0)
            line->model = until_comma(text);
        return true;
    case INPUT:
    case INPUT_BESIDE:
        line->input += n;
        line->has_tokens |= is_number;
        return is_number || text.len == 0;
    case OUTPUT:
        line->output += n;
        line->has_tokens |= is_number;
        return is_number || text.len == 0;
    case DOLLARS:
        line->has_cost = bill_dollars(text, &n);
        line->cost_pd += line->has_cost ? n : 0;
        return line->has_cost || text.len == 0;
    case FIELDS:
        break;
    }
    return true;
}

/* --- JSON ----------------------------------------------------------------------------------------- */

struct reading {
    bill_fn take;
    void *arg;
    struct err *why;
    unsigned nlines;
};

static struct span unquoted(struct span value)
{
    if (value.len > 0 && value.at[0] == '"')
        return json_raw(value);
    return span_eq(value, SPAN_LIT("null")) ? SPAN_NONE : value;
}

static bool read_members(struct span object, struct bill_line *line);

/* OpenAI: {"value":0.06,"currency":"usd"}. Anthropic: cents, "123.45". */
static bool read_amount(struct span value, struct bill_line *line)
{
    struct span dollars = json_find(value, "value");
    uint64_t pd = 0;
    if (dollars.len > 0)
        return set(line, DOLLARS, unquoted(dollars));
    if (!bill_dollars(unquoted(value), &pd))
        return false;
    line->has_cost = true;
    line->cost_pd += (pd + 50) / 100;
    return true;
}

static bool read_members(struct span object, struct bill_line *line)
{
    struct json_walk w;
    bool ok = true;
    json_walk_init(&w, object);
    while (ok && json_walk_next(&w)) {
        if (json_walk_is(&w, "amount"))
            ok = read_amount(w.value, line);
        else if (json_walk_is(&w, "cache_creation"))
            ok = read_members(w.value, line);
        else
            ok = set(line, field_of(w.key), unquoted(w.value));
    }
    return ok;
}

static bool read_bucket(struct reading *r, struct span bucket)
{
    struct bill_line time = {0};
    struct span start = json_find(bucket, "start_time"), results = json_find(bucket, "results"),
                result;
    if (start.len == 0)
        start = json_find(bucket, "starting_at");
    if (start.len == 0 || results.len == 0 || !set(&time, DAY, unquoted(start)))
        return false;
    for (size_t cursor = 0; json_each(results, &cursor, &result);) {
        struct bill_line line = {.day_unix_ms = time.day_unix_ms};
        if (!read_members(result, &line))
            return false;
        r->nlines++;
        r->take(r->arg, &line);
    }
    return true;
}

static int read_json(struct reading *r, struct span text, bool *is_part)
{
    struct span buckets = text.at[0] == '[' ? text : json_find(text, "data"), bucket;
    unsigned n = 0;
    *is_part = json_is_true(json_find(text, "has_more"));
    for (size_t cursor = 0; json_each(buckets, &cursor, &bucket);) {
        n++;
        if (!read_bucket(r, bucket))
            return err_set(r->why, "bucket %u is none of a usage or cost report", n);
    }
    return n > 0 ? 0 : err_set(r->why, "there are no buckets of usage or costs in it");
}

/* --- CSV (RFC 4180) ------------------------------------------------------------------------------- */

enum { CELLS_MAX = 64 };

struct csv_row {
    struct span cells[CELLS_MAX];
    unsigned n;
};

/* A cell in quotes; doubled ones become one, in the arena. `rest` begins behind the first quote. */
static struct span take_quoted(struct span *rest, struct arena *a)
{
    uint8_t *out = arena_room(a, rest->len + 1);
    size_t n = 0, i = 0;
    for (; i < rest->len; i++) {
        bool is_quote = rest->at[i] == '"';
        if (is_quote && (i + 1 == rest->len || rest->at[i + 1] != '"'))
            break;
        i += is_quote;
        out[n++] = rest->at[i];
    }
    *rest = span_skip(*rest, i + 1);
    return span_of(out, n);
}

static struct span take_cell(struct span *rest, struct arena *a)
{
    size_t n = 0;
    if (rest->len > 0 && rest->at[0] == '"') {
        *rest = span_skip(*rest, 1);
        return take_quoted(rest, a);
    }
    while (n < rest->len && rest->at[n] != ',' && rest->at[n] != '\n' && rest->at[n] != '\r')
        n++;
    struct span cell = span_sub(*rest, 0, n);
    *rest = span_skip(*rest, n);
    return cell;
}

static bool take_row(struct span *rest, struct csv_row *row, struct arena *a)
{
    row->n = 0;
    while (rest->len > 0) {
        struct span cell = take_cell(rest, a);
        if (row->n < CELLS_MAX)
            row->cells[row->n++] = cell;
        uint8_t behind = rest->len > 0 ? rest->at[0] : '\n';
        *rest = span_skip(*rest, behind == '\r' && rest->len > 1 && rest->at[1] == '\n' ? 2 : 1);
        if (behind != ',')
            return true;
    }
    return row->n > 0;
}

static bool is_blank(const struct csv_row *row)
{
    return row->n == 0 || (row->n == 1 && row->cells[0].len == 0);
}

static int read_line(struct reading *r, const enum field *fields, const struct csv_row *row,
                     unsigned number)
{
    struct bill_line line = {0};
    for (unsigned i = 0; i < row->n; i++) {
        if (!set(&line, fields[i], row->cells[i]))
            return err_set(r->why, "line %u: \"%.*s\" is not what its column holds", number,
                           (int)(row->cells[i].len < 40 ? row->cells[i].len : 40),
                           (const char *)row->cells[i].at);
    }
    if (!line.has_tokens && !line.has_cost)
        return 0;
    r->nlines++;
    r->take(r->arg, &line);
    return 0;
}

static int read_csv(struct reading *r, struct span text, struct arena *a)
{
    static const struct span mark = {(const uint8_t *)"\xef\xbb\xbf", 3}; /* Excel's */
    enum field fields[CELLS_MAX];
    struct csv_row row;
    unsigned known = 0, number = 1;
    text = span_starts(text, mark) ? span_skip(text, mark.len) : text;
    if (!take_row(&text, &row, a))
        return err_set(r->why, "it is empty");
    for (unsigned i = 0; i < CELLS_MAX; i++) {
        fields[i] = i < row.n ? field_of(row.cells[i]) : FIELDS;
        if (fields[i] != FIELDS)
            known |= 1u << fields[i];
    }
    bool has_figures = (known &
                        (1u << INPUT | 1u << INPUT_BESIDE | 1u << OUTPUT | 1u << DOLLARS)) != 0;
    if ((known & 1u << DAY) == 0 || !has_figures)
        return err_set(r->why, "its first line names no columns of a usage or cost export");
    int rc = 0;
    while (rc == 0 && take_row(&text, &row, a)) {
        number++;
        if (!is_blank(&row))
            rc = read_line(r, fields, &row, number);
    }
    return rc;
}

int provider_bill_read(struct span text, bill_fn take, void *arg, bool *is_part, struct err *why)
{
    struct reading r = {take, arg, why, 0};
    struct arena a;
    *is_part = false;
    while (text.len > 0 && strchr(" \t\r\n", text.at[0]) != NULL && text.at[0] != '\0')
        text = span_skip(text, 1);
    if (text.len == 0)
        return err_set(why, "it is empty");
    if (text.at[0] == '{' || text.at[0] == '[')
        return read_json(&r, text, is_part);
    arena_init(&a, NULL, 4096);
    int rc = read_csv(&r, text, &a);
    arena_fini(&a);
    return rc;
}
