/* write.c: a snapshot as the file that means the same: what differs from the defaults, in the order
 * of the table. */
#include "option.h"

#include <errno.h>
#include <stdlib.h>

static void take_back(struct buf *out, size_t len)
{
    out->tail = out->head + len;
}

/* Plain in flow context: no indicator anywhere, and nothing that a YAML 1.1 reader takes for a
 * number, a boolean or null. Quoted is never wrong. */
static bool is_plain(const char *text)
{
    static const char *const taken[] = {"true", "false", "yes", "no", "on",   "off",
                                        "null", "y",     "n",   "~",  ".inf", ".nan"};
    unsigned char first = (unsigned char)text[0];
    if (!((first | 0x20) >= 'a' && (first | 0x20) <= 'z') && first != '/')
        return false;
    for (const char *c = text; *c != '\0'; c++) {
        bool alnum = ((*c | 0x20) >= 'a' && (*c | 0x20) <= 'z') || (*c >= '0' && *c <= '9');
        bool colon = *c == ':' && c[1] != '\0'; /* "a:b" is text, "a:" is a key */
        if (!alnum && !colon && strchr("-_./@", *c) == NULL)
            return false;
    }
    for (size_t i = 0; i < sizeof(taken) / sizeof(taken[0]); i++)
        if (span_ieq(span_text(text), span_text(taken[i])))
            return false;
    return true;
}

/* "${" and "$$" would be expanded when the file is read again. */
static int add_escaped(struct buf *out, struct span text)
{
    int rc = 0;
    while (rc == 0 && text.len > 0) {
        size_t dollar = span_find(text, SPAN_LIT("$"));
        rc = buf_add_json(out, span_sub(text, 0, dollar));
        text = span_skip(text, dollar);
        if (rc == 0 && text.len > 0) {
            rc = buf_add_text(out, "$$");
            text = span_skip(text, 1);
        }
    }
    return rc;
}

int write_scalar(struct buf *out, const char *text)
{
    if (is_plain(text))
        return buf_add_text(out, text);
    int rc = buf_add_text(out, "\"");
    if (rc == 0)
        rc = add_escaped(out, span_text(text));
    return rc == 0 ? buf_add_text(out, "\"") : rc;
}

int yaml_write_scalar(struct buf *out, const char *text)
{
    return write_scalar(out, text);
}

/* 1 when both write the same text, 0 when not. */
static int is_default(const struct writer *w, const struct option *row, const void *at,
                      const void *baseline)
{
    struct buf one = {0}, other = {0};
    const struct writer a = {.snap = w->snap, .out = &one}, b = {.snap = w->snap, .out = &other};
    int rc = row->type->write(&a, row, at);
    if (rc == 0)
        rc = row->type->write(&b, row, baseline);
    if (rc == 0)
        rc = span_eq(buf_span(&one), buf_span(&other));
    buf_fini(&one);
    buf_fini(&other);
    return rc;
}

static bool was_given(const struct object *o, const struct option *row, const void *at)
{
    unsigned known;
    memcpy(&known, (const uint8_t *)at + o->known_offset, sizeof(known));
    return (known & row->known_bit) != 0;
}

/* "name: value", or nothing. */
static int write_row(const struct writer *w, const struct object *o, const struct option *row,
                     const void *at, const void *baseline, const char *before)
{
    const void *value = (const uint8_t *)at + row->offset;
    const void *usual = baseline == NULL ? NULL : (const uint8_t *)baseline + row->offset;
    if (row->known_bit != 0 && !was_given(o, row, at))
        return 0;
    if (row->known_bit == 0 && usual != NULL && row->type != &type_group) {
        int same = is_default(w, row, value, usual);
        if (same != 0)
            return same < 0 ? same : 0;
    }
    size_t start = buf_len(w->out);
    int rc = buf_addf(w->out, "%s%s:", before, row->name);
    bool is_block = w->is_block && (row->type == &type_list || row->type == &type_map);
    if (rc == 0 && !is_block)
        rc = buf_add_text(w->out, " ");
    size_t empty = buf_len(w->out);
    if (rc == 0)
        rc = row->type == &type_group ? object_write(w, row->object, value, usual)
                                      : row->type->write(w, row, value);
    if (rc == 0 && buf_len(w->out) == empty)
        take_back(w->out, start);
    return rc;
}

int object_write(const struct writer *w, const struct object *o, const void *at,
                 const void *baseline)
{
    struct writer inner = *w;
    inner.is_block = false;
    size_t start = buf_len(w->out);
    int rc = buf_add_text(w->out, "{ ");
    size_t empty = buf_len(w->out);
    for (unsigned i = 0; rc == 0 && i < o->nrows; i++)
        rc = write_row(&inner, o, &o->rows[i], at, baseline, buf_len(w->out) == empty ? "" : ", ");
    if (rc != 0)
        return rc;
    if (buf_len(w->out) == empty) {
        take_back(w->out, start);
        return 0;
    }
    return buf_add_text(w->out, " }");
}

/* One listener as `listen` makes it. */
static bool listens_shortly(const struct snapshot *s)
{
    if (s->nlisteners != 1)
        return false;
    struct buf rest = {0};
    const struct writer w = {.snap = s, .out = &rest};
    struct listener_options *usual = object_baseline(&listener_object, NULL);
    usual->name = "api";
    usual->address = s->listeners[0].address;
    usual->serves = SERVES_API | SERVES_HEALTH | SERVES_METRICS;
    int rc = object_write(&w, &listener_object, s->listeners, usual);
    bool same = rc == 0 && buf_len(&rest) == 0;
    free(usual);
    buf_fini(&rest);
    return same;
}

static int write_listeners(const struct writer *w, const struct option *row, const void *baseline)
{
    const struct snapshot *s = w->snap;
    if (!listens_shortly(s))
        return write_row(w, &root_object, row, s, baseline, "");
    int rc = buf_add_text(w->out, "listen: ");
    return rc == 0 ? write_scalar(w->out, s->listeners[0].address) : rc;
}

int snapshot_write_yaml(const struct snapshot *s, struct buf *out)
{
    const struct writer w = {.snap = s, .out = out, .is_block = true};
    void *baseline = object_baseline(&root_object, NULL);
    int rc = buf_add_text(out, "version: 1\n");
    for (unsigned i = 0; rc == 0 && i < root_object.nrows; i++) {
        const struct option *row = &root_object.rows[i];
        size_t before = buf_len(out);
        rc = row->object == &listener_object ? write_listeners(&w, row, baseline)
                                             : write_row(&w, &root_object, row, s, baseline, "");
        if (rc == 0 && buf_len(out) > before)
            rc = buf_add_text(out, "\n");
    }
    free(baseline);
    return rc;
}
