/* scalar.c: option types whose value is one word: from text into a member, and back. */
#include "option.h"

#include "value.h"

#include <inttypes.h>
#include <stdio.h>
#include <time.h>

uint64_t member_get(const void *at, size_t size)
{
    uint8_t one;
    uint16_t two;
    uint32_t four;
    uint64_t eight;
    switch (size) {
    case 1:
        memcpy(&one, at, 1);
        return one;
    case 2:
        memcpy(&two, at, 2);
        return two;
    case 4:
        memcpy(&four, at, 4);
        return four;
    default:
        memcpy(&eight, at, 8);
        return eight;
    }
}

void member_set(void *at, size_t size, uint64_t value)
{
    uint8_t one = (uint8_t)value;
    uint16_t two = (uint16_t)value;
    uint32_t four = (uint32_t)value;
    switch (size) {
    case 1:
        memcpy(at, &one, 1);
        break;
    case 2:
        memcpy(at, &two, 2);
        break;
    case 4:
        memcpy(at, &four, 4);
        break;
    default:
        memcpy(at, &value, 8);
        break;
    }
}

static int refuse(struct err *why, struct span text, const char *expected)
{
    return err_set(why, "\"%.*s\" cannot be used here (%s)", SPAN_FMT(span_sub(text, 0, 80)),
                   expected);
}

/* ── ways to write a number ──────────────────────────────────────────────────────────────────── */

typedef void (*format_fn)(char out[32], uint64_t value);

static void format_number(char out[32], uint64_t value)
{
    snprintf(out, 32, "%" PRIu64, value);
}

static void format_duration(char out[32], uint64_t ms)
{
    static const struct {
        uint64_t ms;
        const char *name;
    } units[] = {{86400000, "d"}, {3600000, "h"}, {60000, "m"}, {1000, "s"}, {1, "ms"}};
    size_t i = 0;
    while (ms % units[i].ms != 0)
        i++;
    /* 75s, not 1m15s: one number, one unit; 0s, not 0d */
    if (ms == 0)
        i = 3;
    snprintf(out, 32, "%" PRIu64 "%s", ms / units[i].ms, units[i].name);
}

static void format_size(char out[32], uint64_t bytes)
{
    static const char *const names[] = {"B", "KiB", "MiB", "GiB"};
    size_t i = 0;
    while (i < 3 && bytes != 0 && bytes % 1024 == 0) {
        bytes /= 1024;
        i++;
    }
    snprintf(out, 32, "%" PRIu64 "%s", bytes, names[i]);
}

static void format_money(char out[32], uint64_t pd)
{
    int n = snprintf(out, 32, "%" PRIu64 ".%06" PRIu64, pd / 1000000, pd % 1000000);
    while (n > 0 && out[n - 1] == '0' && out[n - 3] != '.') /* two decimals stay */
        out[--n] = '\0';
}

static void format_fee(char out[32], uint64_t pd)
{
    const uint64_t one = 1000000000000;
    int n = snprintf(out, 32, "%" PRIu64 ".%012" PRIu64, pd / one, pd % one);
    while (n > 0 && out[n - 1] == '0' && out[n - 3] != '.')
        out[--n] = '\0';
}

/* ── numbers ─────────────────────────────────────────────────────────────────────────────────── */

static int set_bounded(const struct option *o, uint64_t value, void *at, format_fn format,
                       struct err *why)
{
    uint64_t most = o->size >= 8 ? UINT64_MAX : ((uint64_t)1 << (8 * o->size)) - 1;
    uint64_t max = o->max != 0 && o->max < most ? o->max : most;
    if (value < o->min || value > max) {
        char given[32], low[32], high[32];
        format(given, value);
        format(low, o->min);
        format(high, max);
        return err_set(why, "%s is out of bounds (%s to %s)", given, low, high);
    }
    member_set(at, o->size, value);
    return 0;
}

static int parse_with(const struct option *o, struct span text, void *at, struct err *why,
                      const char *(*parse)(struct span, uint64_t *), format_fn format)
{
    uint64_t value = 0;
    const char *expected = parse(text, &value);
    if (expected != NULL)
        return refuse(why, text, expected);
    return set_bounded(o, value, at, format, why);
}

static int write_with(const struct writer *w, const struct option *o, const void *at,
                      format_fn format)
{
    char text[32];
    format(text, member_get(at, o->size));
    return buf_add_text(w->out, text);
}

static int parse_number(const struct option *o, struct span text, void *at, struct err *why)
{
    return parse_with(o, text, at, why, value_number, format_number);
}

static int write_number(const struct writer *w, const struct option *o, const void *at)
{
    return write_with(w, o, at, format_number);
}

static int schema_number(const struct option *o, struct buf *out)
{
    int rc = buf_addf(out, "\"type\":\"integer\",\"minimum\":%" PRIu64, o->min);
    if (rc == 0 && o->max != 0)
        rc = buf_addf(out, ",\"maximum\":%" PRIu64, o->max);
    return rc;
}

const struct option_type type_number = {"number", parse_number, NULL, write_number, schema_number};

static int parse_duration(const struct option *o, struct span text, void *at, struct err *why)
{
    return parse_with(o, text, at, why, value_duration, format_duration);
}

static int write_duration(const struct writer *w, const struct option *o, const void *at)
{
    return write_with(w, o, at, format_duration);
}

static int schema_duration(const struct option *o, struct buf *out)
{
    (void)o;
    return buf_add_text(out, "\"type\":[\"string\",\"integer\"],"
                             "\"pattern\":\"^([0-9]+(ms|s|m|h|d)|0)$\",\"maximum\":0");
}

const struct option_type type_duration = {"duration", parse_duration, NULL, write_duration,
                                          schema_duration};

static int parse_size(const struct option *o, struct span text, void *at, struct err *why)
{
    return parse_with(o, text, at, why, value_size, format_size);
}

static int write_size(const struct writer *w, const struct option *o, const void *at)
{
    return write_with(w, o, at, format_size);
}

static int schema_size(const struct option *o, struct buf *out)
{
    (void)o;
    return buf_add_text(out,
                        "\"type\":[\"string\",\"integer\"],"
                        "\"pattern\":\"^([0-9]+(B|KiB|MiB|GiB|kB|KB|MB|GB)|0)$\",\"maximum\":0");
}

const struct option_type type_size = {"size", parse_size, NULL, write_size, schema_size};

static int parse_money(const struct option *o, struct span text, void *at, struct err *why)
{
    return parse_with(o, text, at, why, value_money, format_money);
}

static int write_money(const struct writer *w, const struct option *o, const void *at)
{
    char text[32];
    format_money(text, member_get(at, o->size));
    return buf_addf(w->out, "\"%s\"", text);
}

static int schema_money(const struct option *o, struct buf *out)
{
    (void)o;
    return buf_add_text(out, "\"type\":[\"string\",\"number\"],\"minimum\":0,"
                             "\"pattern\":\"^[0-9]+(\\\\.[0-9]{1,6})?$\"");
}

const struct option_type type_money = {"price", parse_money, NULL, write_money, schema_money};

static int parse_fee(const struct option *o, struct span text, void *at, struct err *why)
{
    return parse_with(o, text, at, why, value_fee, format_fee);
}

static int write_fee(const struct writer *w, const struct option *o, const void *at)
{
    char text[32];
    format_fee(text, member_get(at, o->size));
    return buf_addf(w->out, "\"%s\"", text);
}

static int schema_fee(const struct option *o, struct buf *out)
{
    (void)o;
    return buf_add_text(out, "\"type\":[\"string\",\"number\"],\"minimum\":0,"
                             "\"pattern\":\"^[0-9]+(\\\\.[0-9]{1,12})?$\"");
}

const struct option_type type_fee = {"price of one", parse_fee, NULL, write_fee, schema_fee};

static int parse_share(const struct option *o, struct span text, void *at, struct err *why)
{
    return parse_with(o, text, at, why, value_share, format_money);
}

static int write_share(const struct writer *w, const struct option *o, const void *at)
{
    return write_with(w, o, at, format_money);
}

static int schema_share(const struct option *o, struct buf *out)
{
    (void)o;
    return buf_add_text(out, "\"type\":\"number\",\"minimum\":0,\"maximum\":1");
}

const struct option_type type_share = {"share", parse_share, NULL, write_share, schema_share};

/* A duration, or the percentile of those that were seen. */
static int parse_patience(const struct option *o, struct span text, void *at, struct err *why)
{
    uint64_t percent;
    if (text.len == 0 || text.at[0] != 'p')
        return parse_duration(o, text, at, why);
    if (!span_to_u64(span_skip(text, 1), &percent) || percent < 50 || percent > 99)
        return refuse(why, text, "write a percentile from p50 to p99, or a duration: 800ms");
    member_set(at, o->size, HEDGE_AFTER_QUANTILE | percent);
    return 0;
}

static int write_patience(const struct writer *w, const struct option *o, const void *at)
{
    uint64_t value = member_get(at, o->size);
    if ((value & HEDGE_AFTER_QUANTILE) == 0)
        return write_duration(w, o, at);
    return buf_addf(w->out, "p%u", (unsigned)(value & ~(uint64_t)HEDGE_AFTER_QUANTILE));
}

static int schema_patience(const struct option *o, struct buf *out)
{
    (void)o;
    return buf_add_text(out, "\"type\":\"string\",\"pattern\":\"^(p[5-9][0-9]|[0-9]+(ms|s|m))$\"");
}

const struct option_type type_patience = {"duration, or `p50` to `p99`", parse_patience, NULL,
                                          write_patience, schema_patience};

/* ── moments, permissions, yes and no ────────────────────────────────────────────────────────── */

static int parse_time(const struct option *o, struct span text, void *at, struct err *why)
{
    return parse_with(o, text, at, why, value_time, format_number);
}

static int write_time(const struct writer *w, const struct option *o, const void *at)
{
    uint64_t ms = member_get(at, o->size);
    if (ms == 0)
        return 0;
    time_t seconds = (time_t)(ms / 1000);
    struct tm tm;
    char text[40];
    gmtime_r(&seconds, &tm);
    strftime(text, sizeof(text), "\"%Y-%m-%dT%H:%M:%SZ\"", &tm);
    return buf_add_text(w->out, text);
}

static int schema_time(const struct option *o, struct buf *out)
{
    (void)o;
    return buf_add_text(out, "\"type\":\"string\",\"pattern\":\"^[0-9]{4}-[0-9]{2}-[0-9]{2}\"");
}

const struct option_type type_time = {"date or time", parse_time, NULL, write_time, schema_time};

static int parse_mode(const struct option *o, struct span text, void *at, struct err *why)
{
    unsigned mode;
    const char *expected = value_mode(text, &mode);
    if (expected != NULL)
        return refuse(why, text, expected);
    member_set(at, o->size, mode);
    return 0;
}

static int write_mode(const struct writer *w, const struct option *o, const void *at)
{
    return buf_addf(w->out, "\"%04o\"", (unsigned)member_get(at, o->size));
}

static int schema_mode(const struct option *o, struct buf *out)
{
    (void)o;
    return buf_add_text(out, "\"type\":[\"string\",\"integer\"],\"pattern\":\"^[0-7]{3,4}$\"");
}

const struct option_type type_mode = {"permissions", parse_mode, NULL, write_mode, schema_mode};

static int parse_bool(const struct option *o, struct span text, void *at, struct err *why)
{
    bool yes;
    const char *expected = value_bool(text, &yes);
    if (expected != NULL)
        return refuse(why, text, expected);
    member_set(at, o->size, yes);
    return 0;
}

static int write_bool(const struct writer *w, const struct option *o, const void *at)
{
    return buf_add_text(w->out, member_get(at, o->size) != 0 ? "true" : "false");
}

static int schema_bool(const struct option *o, struct buf *out)
{
    (void)o;
    return buf_add_text(out, "\"type\":\"boolean\"");
}

const struct option_type type_bool = {"true or false", parse_bool, NULL, write_bool, schema_bool};

/* One bit of many: the row's known_bit, in a member that all of them share. */
static int parse_fact(const struct option *o, struct span text, void *at, struct err *why)
{
    bool yes;
    const char *expected = value_bool(text, &yes);
    if (expected != NULL)
        return refuse(why, text, expected);
    uint64_t others = member_get(at, o->size) & ~(uint64_t)o->known_bit;
    member_set(at, o->size, yes ? others | o->known_bit : others);
    return 0;
}

static int write_fact(const struct writer *w, const struct option *o, const void *at)
{
    bool yes = (member_get(at, o->size) & o->known_bit) != 0;
    return buf_add_text(w->out, yes ? "true" : "false");
}

const struct option_type type_fact = {"true or false", parse_fact, NULL, write_fact, schema_bool};

/* ── words ───────────────────────────────────────────────────────────────────────────────────── */

static const struct word *word_find(const struct option *o, struct span text, struct err *why)
{
    struct suggestion near = {.text = text};
    char all[400] = "";
    size_t n = 0, len;
    for (const struct word *w = o->words; w->text != NULL; w++) {
        if (span_eq(text, span_text(w->text)))
            return w;
        suggestion_offer(&near, w->text);
        len = strlen(w->text) + 2;
        if (n + len < sizeof(all)) /* a list that is longer than that is in the reference */
            n += (size_t)snprintf(all + n, sizeof(all) - n, "%s%s", n == 0 ? "" : ", ", w->text);
    }
    if (near.best != NULL)
        err_set(why, "\"%.*s\" is not one of %s (did you mean \"%s\"?)",
                SPAN_FMT(span_sub(text, 0, 80)), all, near.best);
    else
        err_set(why, "\"%.*s\" cannot be used here (write one of %s)",
                SPAN_FMT(span_sub(text, 0, 80)), all);
    return NULL;
}

static int parse_word(const struct option *o, struct span text, void *at, struct err *why)
{
    const struct word *found = word_find(o, text, why);
    if (found == NULL)
        return -1;
    member_set(at, o->size, found->value);
    return 0;
}

static int write_word(const struct writer *w, const struct option *o, const void *at)
{
    uint64_t value = member_get(at, o->size);
    for (const struct word *word = o->words; word->text != NULL; word++)
        if (word->value == value)
            return write_scalar(w->out, word->text);
    return 0;
}

static int schema_enum(const struct option *o, struct buf *out)
{
    int rc = buf_add_text(out, "\"enum\":[");
    for (const struct word *w = o->words; rc == 0 && w->text != NULL; w++)
        rc = buf_addf(out, "%s\"%s\"", w == o->words ? "" : ",", w->text);
    return rc == 0 ? buf_add_text(out, "]") : rc;
}

const struct option_type type_word = {"word", parse_word, NULL, write_word, schema_enum};

/* Several words, each a bit. A default is written with spaces between them. */
static int parse_words(const struct option *o, struct span text, void *at, struct err *why)
{
    uint64_t bits = 0;
    while (text.len > 0) {
        const struct word *found = word_find(o, span_cut(&text, ' '), why);
        if (found == NULL)
            return -1;
        bits |= found->value;
    }
    member_set(at, o->size, bits);
    return 0;
}

static void read_words(struct reader *r, const struct option *o, const struct node *n, void *at)
{
    if (n->kind != NODE_LIST || (n->nentries == 0 && !o->may_be_empty)) {
        reader_error(r, n, "a list with at least one word was expected (write [%s])",
                     o->words[0].text);
        return;
    }
    uint64_t bits = 0;
    for (unsigned i = 0; i < n->nentries; i++) {
        size_t before = reader_enter_item(r, i);
        struct err why = {0};
        const char *text = reader_text(r, n->entries[i].value);
        const struct word *found = text == NULL ? NULL : word_find(o, span_text(text), &why);
        if (found != NULL)
            bits |= found->value;
        else if (text != NULL)
            reader_error(r, n->entries[i].value, "%s", why.text);
        reader_leave(r, before);
    }
    member_set(at, o->size, bits);
}

static int write_words(const struct writer *w, const struct option *o, const void *at)
{
    uint64_t bits = member_get(at, o->size);
    int rc = buf_add_text(w->out, "[");
    const char *comma = "";
    for (const struct word *word = o->words; rc == 0 && word->text != NULL; word++) {
        if ((bits & word->value) == 0)
            continue;
        rc = buf_addf(w->out, "%s%s", comma, word->text);
        comma = ", ";
    }
    return rc == 0 ? buf_add_text(w->out, "]") : rc;
}

static int schema_words(const struct option *o, struct buf *out)
{
    int rc = buf_addf(out, "\"type\":\"array\",%s\"items\":{",
                      o->may_be_empty ? "" : "\"minItems\":1,");
    if (rc == 0)
        rc = schema_enum(o, out);
    return rc == 0 ? buf_add_text(out, "}") : rc;
}

const struct option_type type_words = {"list of words", parse_words, read_words, write_words,
                                       schema_words};
