#include "finding.h"

#include "sluice/base/arena.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

/* The last warning gives its place to an error: what must be repaired is shown first. */
static struct finding *last_warning(struct findings *f)
{
    for (unsigned i = f->n; i > 0; i--)
        if (f->at[i - 1].warning)
            return &f->at[i - 1];
    return NULL;
}

static struct finding *next_slot(struct findings *f, bool warning)
{
    if (f->n == FINDINGS_MAX)
        return warning ? NULL : last_warning(f);
    if (f->at == NULL)
        f->at = xcalloc(FINDINGS_MAX, sizeof(*f->at)); /* ~90 KiB, untouched pages cost nothing */
    return &f->at[f->n++];
}

/* Values go into messages as they were written: what a terminal would obey must not get there. */
static void disarm(char *text)
{
    for (unsigned char *c = (unsigned char *)text; *c != '\0'; c++)
        if (*c < ' ' || *c == 0x7f)
            *c = '?';
}

__attribute__((format(printf, 5, 0))) static void add(struct findings *f, bool warning,
                                                      struct place at, const char *path,
                                                      const char *format, va_list args)
{
    if (warning)
        f->warnings++;
    else
        f->errors++;
    struct finding *slot = next_slot(f, warning);
    if (slot == NULL)
        return; /* counted, and findings_write says how many were left out */
    char text[sizeof(slot->err.text)];
    vsnprintf(text, sizeof(text), format, args);
    disarm(text);
    *slot = (struct finding){.warning = warning};
    err_set_at(&slot->err, at.file == NULL ? "" : at.file, at.line, at.column, "%s", text);
    snprintf(slot->path, sizeof(slot->path), "%s", path);
    disarm(slot->path);
}

void findings_error(struct findings *f, struct place at, const char *path, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    add(f, false, at, path, format, args);
    va_end(args);
}

void findings_warning(struct findings *f, struct place at, const char *path, const char *format,
                      ...)
{
    va_list args;
    va_start(args, format);
    add(f, true, at, path, format, args);
    va_end(args);
}

void findings_fini(struct findings *f)
{
    free(f->at);
    *f = (struct findings){0};
}

static bool is_before(const struct err *a, const struct err *b)
{
    return a->line != b->line ? a->line < b->line : a->column < b->column;
}

/* Insertion: stable, at most FINDINGS_MAX entries, and mostly in order already. */
void findings_sort(struct findings *f)
{
    for (unsigned i = 1; i < f->n; i++) {
        struct finding moving = f->at[i];
        unsigned to = i;
        for (; to > 0 && is_before(&moving.err, &f->at[to - 1].err); to--)
            f->at[to] = f->at[to - 1];
        f->at[to] = moving;
    }
}

static int write_line(const struct finding *one, struct buf *out)
{
    const struct err *e = &one->err;
    int rc = buf_add_text(out, e->file[0] == '\0' ? "environment" : e->file);
    if (rc == 0 && e->line > 0)
        rc = buf_addf(out, ":%u:%u", e->line, e->column);
    if (rc == 0)
        rc = buf_addf(out, ": %s: ", one->warning ? "warning" : "error");
    if (rc == 0 && one->path[0] != '\0')
        rc = buf_addf(out, "%s: ", one->path);
    if (rc == 0)
        rc = buf_addf(out, "%s\n", e->text);
    return rc;
}

static int write_member(struct buf *out, const char *name, const char *text)
{
    int rc = buf_addf(out, "\"%s\":\"", name);
    if (rc == 0)
        rc = buf_add_json(out, span_text(text));
    if (rc == 0)
        rc = buf_add_text(out, "\"");
    return rc;
}

static int write_object(const struct finding *one, struct buf *out)
{
    const struct err *e = &one->err;
    int rc = buf_add_text(out, "{");
    if (rc == 0)
        rc = write_member(out, "severity", one->warning ? "warning" : "error");
    if (rc == 0 && e->file[0] != '\0') {
        rc = buf_add_text(out, ",");
        if (rc == 0)
            rc = write_member(out, "file", e->file);
    }
    if (rc == 0 && e->line > 0)
        rc = buf_addf(out, ",\"line\":%u,\"column\":%u", e->line, e->column);
    if (rc == 0)
        rc = buf_add_text(out, ",");
    if (rc == 0)
        rc = write_member(out, "path", one->path);
    if (rc == 0)
        rc = buf_add_text(out, ",");
    if (rc == 0)
        rc = write_member(out, "message", e->text);
    if (rc == 0)
        rc = buf_add_text(out, "}");
    return rc;
}

static int write_json(const struct findings *f, struct buf *out)
{
    int rc = buf_add_text(out, "[");
    for (unsigned i = 0; rc == 0 && i < f->n; i++) {
        rc = buf_add_text(out, i == 0 ? "" : ",\n ");
        if (rc == 0)
            rc = write_object(&f->at[i], out);
    }
    return rc == 0 ? buf_add_text(out, "]\n") : rc;
}

static int write_summary(const struct findings *f, struct buf *out)
{
    unsigned unseen = f->errors + f->warnings - f->n;
    int rc = 0;
    if (unseen > 0)
        rc = buf_addf(out, "… and %u more\n", unseen);
    if (rc == 0)
        rc = buf_addf(out, "%u error%s, %u warning%s\n", f->errors, f->errors == 1 ? "" : "s",
                      f->warnings, f->warnings == 1 ? "" : "s");
    return rc;
}

int findings_write(const struct findings *f, bool json, struct buf *out)
{
    if (json)
        return write_json(f, out);
    int rc = 0;
    for (unsigned i = 0; rc == 0 && i < f->n; i++)
        rc = write_line(&f->at[i], out);
    return rc == 0 ? write_summary(f, out) : rc;
}
