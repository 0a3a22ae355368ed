#include "sluice/format/multipart.h"

/* --- parameters: ; name="value" ------------------------------------------------------------------- */

static bool is_blank(uint8_t c)
{
    return c == ' ' || c == '\t';
}

static bool is_control(uint8_t c)
{
    return (c < ' ' && c != '\t') || c == 0x7f;
}

/* The length of the text before its closing quote; SIZE_MAX when it has none. */
static size_t quoted_len(struct span s)
{
    size_t i = 0;
    while (i < s.len && s.at[i] != '"')
        i += s.at[i] == '\\' ? 2 : 1;
    return i < s.len ? i : SIZE_MAX;
}

/* Up to where the parameter ends, for those who leave the quotes away. */
static size_t bare_len(struct span s, const char *ends)
{
    size_t i = 0;
    while (i < s.len && s.at[i] > ' ' && strchr(ends, s.at[i]) == NULL)
        i++;
    return i;
}

/* The next of `*rest`. False at the end, which is a good one when `*rest` is empty. */
static bool next_param(struct span *rest, struct span *name, struct span *value)
{
    struct span s = span_trim(*rest);
    if (s.len == 0 || s.at[0] != ';')
        return false;
    s = span_trim(span_skip(s, 1));
    *rest = s;
    size_t len = bare_len(s, "=;\"");
    if (len == 0 || len == s.len || s.at[len] != '=')
        return false;
    *name = span_sub(s, 0, len);
    s = span_skip(s, len + 1);
    bool is_quoted = s.len > 0 && s.at[0] == '"';
    if (is_quoted)
        s = span_skip(s, 1);
    len = is_quoted ? quoted_len(s) : bare_len(s, ";\"");
    if (len == SIZE_MAX || (len == 0 && !is_quoted))
        return false;
    *value = span_sub(s, 0, len);
    *rest = span_trim(span_skip(s, len + is_quoted));
    return true;
}

struct span multipart_boundary(struct span content_type)
{
    struct span rest = content_type, name, value, found = SPAN_NONE;
    size_t type = bare_len(rest, ";");
    rest = span_skip(rest, type);
    while (next_param(&rest, &name, &value)) {
        if (!span_ieq(name, SPAN_LIT("boundary")))
            continue;
        if (found.len > 0)
            return SPAN_NONE;
        found = value;
    }
    bool is_good = rest.len == 0 && found.len > 0 && found.len <= MULTIPART_BOUNDARY_MAX &&
                   !is_blank(found.at[found.len - 1]);
    for (size_t i = 0; i < found.len; i++)
        is_good = is_good && !is_control(found.at[i]) && found.at[i] != '\\' && found.at[i] < 0x7f;
    return is_good ? found : SPAN_NONE;
}

/* --- the head of a part --------------------------------------------------------------------------- */

struct disposition {
    struct span name;
    bool is_there, has_name, is_file;
};

static const char *read_disposition(struct span value, struct disposition *d)
{
    struct span name, param;
    size_t type = bare_len(value, ";");
    if (d->is_there)
        return "a part has two Content-Dispositions";
    d->is_there = true;
    if (!span_ieq(span_sub(value, 0, type), SPAN_LIT("form-data")))
        return "a part's Content-Disposition is not form-data";
    struct span rest = span_skip(value, type);
    while (next_param(&rest, &name, &param)) {
        if (span_ieq(name, SPAN_LIT("name*")))
            return "a part's name is in an encoding (RFC 7578 allows none)";
        if (span_ieq(name, SPAN_LIT("filename")) || span_ieq(name, SPAN_LIT("filename*")))
            d->is_file = true;
        if (!span_ieq(name, SPAN_LIT("name")))
            continue;
        if (d->has_name)
            return "a part has two names";
        d->has_name = true;
        d->name = param;
        if (memchr(param.at, '\\', param.len) != NULL)
            return "a part's name holds a backslash";
    }
    if (rest.len > 0)
        return "a part's Content-Disposition cannot be read";
    return d->has_name ? NULL : "a part has no name";
}

/* Nobody has used it for years; whoever does means other bytes than those that are there. */
static bool is_encoded(struct span coding)
{
    return !span_ieq(coding, SPAN_LIT("binary")) && !span_ieq(coding, SPAN_LIT("8bit")) &&
           !span_ieq(coding, SPAN_LIT("7bit"));
}

static const char *read_field(struct span line, struct disposition *d)
{
    struct span value = line, name = span_cut(&value, ':');
    for (size_t i = 0; i < line.len; i++) {
        if (is_control(line.at[i]))
            return "a part's head holds a control character";
    }
    if (value.at == NULL || name.len == 0 || bare_len(name, "") != name.len)
        return "a part's head holds a line that is no field";
    value = span_trim(value);
    if (span_ieq(name, SPAN_LIT("content-disposition")))
        return read_disposition(value, d);
    if (span_ieq(name, SPAN_LIT("content-transfer-encoding")) && is_encoded(value))
        return "a part is encoded (RFC 7578 §4.7 allows only what is binary)";
    return NULL;
}

static enum multipart_status fail(struct multipart *m, size_t offset, const char *problem)
{
    m->problem = problem;
    m->offset = offset;
    return MULTIPART_INVALID;
}

/* From behind the boundary's line to the value. */
static bool read_head(struct multipart *m, size_t at)
{
    struct disposition d = {.name = SPAN_NONE};
    size_t begin = at;
    for (;;) {
        struct span window = span_sub(m->body, at, MULTIPART_HEAD_MAX - (at - begin));
        size_t len = span_find(window, SPAN_LIT("\r\n"));
        if (len == SIZE_MAX) {
            fail(m, at, "a part's head does not end, or is too large");
            return false;
        }
        if (len == 0)
            break;
        const char *problem = read_field(span_sub(window, 0, len), &d);
        if (problem != NULL) {
            fail(m, at, problem);
            return false;
        }
        at += len + 2;
    }
    if (!d.is_there) {
        fail(m, begin, "a part has no Content-Disposition");
        return false;
    }
    m->part.name = d.name;
    m->part.is_file = d.is_file;
    m->part.value_at = at + 2;
    return true;
}

/* --- boundaries ----------------------------------------------------------------------------------- */

static struct span line_of(const struct multipart *m)
{
    return span_of(m->line, m->line_len);
}

/* Where the next boundary's line begins; SIZE_MAX with the problem when there is none. */
static size_t find_line(struct multipart *m, size_t from)
{
    for (size_t at = from;; at++) {
        size_t found = span_find(span_skip(m->body, at), line_of(m));
        if (found == SIZE_MAX) {
            fail(m, m->body.len, "it ends too early: without its last boundary");
            return SIZE_MAX;
        }
        at += found;
        uint8_t before = m->body.at[at - 1];
        if (at >= from + 2 && before == '\n' && m->body.at[at - 2] == '\r')
            return at;
        if (before == '\r' || before == '\n') {
            fail(m, at, "a boundary's line does not stand behind a line break of its own");
            return SIZE_MAX;
        }
    }
}

void multipart_init(struct multipart *m, struct span body, struct span boundary)
{
    *m = (struct multipart){.body = body, .line_len = 2 + boundary.len};
    memcpy(m->line, "--", 2);
    memcpy(m->line + 2, boundary.at, boundary.len);
    if (span_starts(body, SPAN_LIT("\r\n")))
        m->at = 2;
}

static enum multipart_status finish(struct multipart *m, size_t behind)
{
    struct span rest = span_skip(m->body, behind);
    if (rest.len > 0 && !span_eq(rest, SPAN_LIT("\r\n")))
        return fail(m, behind, "something stands behind its last boundary");
    return MULTIPART_END;
}

enum multipart_status multipart_next(struct multipart *m)
{
    size_t start = m->at, behind = start + m->line_len;
    if (!span_starts(span_skip(m->body, start), line_of(m)))
        return fail(m, start, "it does not begin with its boundary");
    struct span rest = span_skip(m->body, behind);
    if (span_starts(rest, SPAN_LIT("--")))
        return finish(m, behind + 2);
    if (!span_starts(rest, SPAN_LIT("\r\n")))
        return fail(m, start, "a line begins with its boundary and goes on");
    if (m->parts++ == MULTIPART_PARTS_MAX)
        return fail(m, start, "it has too many parts");
    if (!read_head(m, behind + 2))
        return MULTIPART_INVALID;
    size_t from = m->part.value_at, next = find_line(m, from);
    if (next == SIZE_MAX)
        return MULTIPART_INVALID;
    m->part.start = start;
    m->part.end = next;
    m->part.value = span_sub(m->body, from, next - 2 - from);
    m->at = next;
    return MULTIPART_PART;
}
