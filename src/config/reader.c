#include "reader.h"

#include "expand.h"
#include "file.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum { SECRET_FILE_MAX = 64 << 10 };

static size_t append(struct reader *r, const char *text, size_t len)
{
    size_t before = r->path_len;
    size_t room = sizeof(r->path) - 1 - before;
    size_t n = len < room ? len : room;
    memcpy(r->path + before, text, n);
    r->path_len = before + n;
    r->path[r->path_len] = '\0';
    return before;
}

size_t reader_enter(struct reader *r, struct span key)
{
    size_t before = r->path_len;
    if (before > 0)
        append(r, ".", 1);
    append(r, (const char *)key.at, key.len);
    return before;
}

size_t reader_enter_item(struct reader *r, unsigned index)
{
    char text[16];
    return append(r, text, (size_t)snprintf(text, sizeof(text), "[%u]", index));
}

void reader_leave(struct reader *r, size_t before)
{
    r->path_len = before;
    r->path[before] = '\0';
}

static struct place place_of(const struct reader *r, const struct node *n)
{
    return (struct place){r->file, n == NULL ? 0 : n->line, n == NULL ? 0 : n->column};
}

__attribute__((format(printf, 2, 0))) static void format_text(char out[512], const char *format,
                                                              va_list args)
{
    vsnprintf(out, 512, format, args);
}

void reader_error(struct reader *r, const struct node *at, const char *format, ...)
{
    char text[512];
    va_list args;
    va_start(args, format);
    format_text(text, format, args);
    va_end(args);
    findings_error(r->findings, place_of(r, at), r->path, "%s", text);
}

void reader_warning(struct reader *r, const struct node *at, const char *format, ...)
{
    char text[512];
    va_list args;
    va_start(args, format);
    format_text(text, format, args);
    va_end(args);
    findings_warning(r->findings, place_of(r, at), r->path, "%s", text);
}

void reader_error_entry(struct reader *r, const struct node_entry *at, const char *format, ...)
{
    char text[512];
    va_list args;
    va_start(args, format);
    format_text(text, format, args);
    va_end(args);
    findings_error(r->findings, (struct place){r->file, at->line, at->column}, r->path, "%s", text);
}

/* The member's own node when it was written, else the object's: where to point at. */
static const struct node *at_key(const struct node *n, const char *key)
{
    const struct node *value = node_get(n, key);
    return value != NULL ? value : n;
}

void reader_error_in(struct reader *r, const struct node *n, const char *key, const char *text)
{
    size_t before = reader_enter(r, span_text(key));
    reader_error(r, at_key(n, key), "%s", text);
    reader_leave(r, before);
}

void reader_warning_in(struct reader *r, const struct node *n, const char *key, const char *text)
{
    size_t before = reader_enter(r, span_text(key));
    reader_warning(r, at_key(n, key), "%s", text);
    reader_leave(r, before);
}

/* ── texts ───────────────────────────────────────────────────────────────────────────────────── */

static bool has_control(struct span text)
{
    for (size_t i = 0; i < text.len; i++)
        if (text.at[i] < ' ' || text.at[i] == 0x7f)
            return true;
    return false;
}

static bool is_empty_scalar(const struct node *n)
{
    return n->kind == NODE_SCALAR && n->plain && n->text.len == 0;
}

/* Only that it can be read: what is in it says the TLS library. */
void reader_file(struct reader *r, const struct node *n, const char *key, const char **path)
{
    if (*path == NULL)
        return;
    if ((*path)[0] != '/' && r->directory != NULL && strcmp(r->directory, ".") != 0)
        *path = arena_printf(r->arena, "%s/%s", r->directory, *path);
    if (!r->no_secrets && access(*path, R_OK) != 0)
        reader_error_in(r, n, key, arena_printf(r->scratch, "%s: %s", *path, strerror(errno)));
}

/* A document has lines; anything else is one. */
static const char *text_of(struct reader *r, const struct node *n, enum secret_form form)
{
    struct err why = {0};
    struct span text;
    if (n->kind != NODE_SCALAR) {
        reader_error(r, n, "a %s, where a single value was expected",
                     n->kind == NODE_LIST ? "list" : "map");
        return NULL;
    }
    if (is_empty_scalar(n)) {
        reader_error(r, n, "has no value (write one, or leave the line out)");
        return NULL;
    }
    if (expand_text(n->text, r->arena, &text, &why) < 0) {
        reader_error(r, n, "%s", why.text);
        return NULL;
    }
    if (form == SECRET_LINE && has_control(text)) {
        reader_error(r, n, "contains a control character, such as a line end");
        return NULL;
    }
    return (const char *)text.at;
}

const char *reader_text(struct reader *r, const struct node *n)
{
    return text_of(r, n, SECRET_LINE);
}

/* ── secrets ─────────────────────────────────────────────────────────────────────────────────── */

static void remember(struct reader *r, const void *field, int kind, const char *text)
{
    struct origin *o = ARENA_NEW(r->arena, struct origin);
    *o = (struct origin){.at = field, .kind = kind, .text = text};
    /* Without memory for the entry `config show` masks the value instead of naming its source. */
    (void)!map_put(&r->snap->text->origins, span_of(&o->at, sizeof(o->at)), o);
}

const struct origin *origin_of(const struct snapshot *s, const void *field)
{
    return map_get(&s->text->origins, span_of(&field, sizeof(field)));
}

void reader_owns_secret(struct reader *r, struct secret *secret)
{
    struct secret_link *link = ARENA_NEW(r->arena, struct secret_link);
    *link = (struct secret_link){secret, r->snap->text->secrets};
    r->snap->text->secrets = link;
}

/* Editors end a file with a line end; a key has none. */
static struct span without_line_end(struct span text)
{
    if (text.len > 0 && text.at[text.len - 1] == '\n')
        text.len--;
    if (text.len > 0 && text.at[text.len - 1] == '\r')
        text.len--;
    return text;
}

static bool keep_secret(struct reader *r, const struct node *at, struct span value,
                        enum secret_form form, struct secret *out)
{
    if (value.len == 0) {
        reader_error(r, at, "the secret is empty");
        return false;
    }
    if (form == SECRET_LINE && has_control(value)) {
        reader_error(r, at, "the secret contains a control character, such as a line end");
        return false;
    }
    if (secret_init(out, value) < 0) {
        reader_error(r, at, "out of memory");
        return false;
    }
    return true;
}

static bool secret_from_env(struct reader *r, const struct node *at, const char *name,
                            const void *field, enum secret_form form, struct secret *out)
{
    remember(r, field, ORIGIN_ENV, name);
    if (r->no_secrets)
        return true;
    const char *value = getenv(name);
    if (value == NULL || value[0] == '\0') {
        reader_error(r, at, "environment variable %s is %s", name,
                     value == NULL ? "not set" : "empty");
        return false;
    }
    return keep_secret(r, at, span_text(value), form, out);
}

bool reader_secret_from(struct reader *r, const char *variable, struct secret *out)
{
    const char *value = getenv(variable);
    bool is_set = value != NULL && value[0] != '\0';
    return (is_set || r->no_secrets) && secret_from_env(r, NULL, variable, out, SECRET_LINE, out);
}

/* A relative path means systemd's credentials first, then what lies beside the file. */
static const char *secret_path(struct reader *r, const char *path)
{
    if (path[0] == '/')
        return path;
    const char *credentials = getenv("CREDENTIALS_DIRECTORY");
    if (credentials != NULL && credentials[0] != '\0') {
        const char *there = arena_printf(r->scratch, "%s/%s", credentials, path);
        struct buf probe = {0};
        bool found = file_read(there, SECRET_FILE_MAX, &probe, NULL, NULL) == 0;
        buf_fini(&probe);
        if (found)
            return there;
    }
    return r->directory == NULL ? path : arena_printf(r->scratch, "%s/%s", r->directory, path);
}

static bool secret_from_file(struct reader *r, const struct node *at, const char *path,
                             const void *field, enum secret_form form, struct secret *out)
{
    remember(r, field, ORIGIN_FILE, path);
    if (r->no_secrets)
        return true;
    struct buf text = {0};
    struct err why = {0};
    const char *where = secret_path(r, path);
    bool ok = file_read(where, SECRET_FILE_MAX, &text, NULL, &why) == 0;
    if (!ok)
        reader_error(r, at, "%s %s", where, why.text);
    else
        ok = keep_secret(r, at, without_line_end(buf_span(&text)), form, out);
    buf_fini_wiped(&text);
    return ok;
}

void reader_remember_scalar(struct reader *r, const void *field, const struct node *n)
{
    remember(r, field, ORIGIN_EXPANDED, (const char *)arena_keep(r->arena, n->text).at);
}

static bool secret_from_scalar(struct reader *r, const struct node *n, const void *field,
                               enum secret_form form, struct secret *out)
{
    bool is_reference = expand_wanted(n->text);
    if (is_reference)
        reader_remember_scalar(r, field, n);
    if (is_reference && r->no_secrets)
        return true;
    const char *text = text_of(r, n, form);
    if (text == NULL)
        return false;
    if (!is_reference && r->world_readable)
        reader_warning(r, n,
                       "a secret in a file that everybody on this machine may read "
                       "(chmod o-r, or write { env: NAME } or { file: PATH })");
    return keep_secret(r, n, span_text(text), form, out);
}

bool reader_secret(struct reader *r, const struct node *n, const void *field, enum secret_form form,
                   struct secret *out)
{
    if (n->kind == NODE_SCALAR)
        return secret_from_scalar(r, n, field, form, out);
    const struct node *env = node_get(n, "env");
    const struct node *file = node_get(n, "file");
    if (n->kind != NODE_MAP || n->nentries != 1 || (env == NULL && file == NULL)) {
        reader_error(r, n, "not a secret (write a string, { env: NAME } or { file: PATH })");
        return false;
    }
    const char *name = reader_text(r, env != NULL ? env : file);
    if (name == NULL)
        return false;
    return env != NULL ? secret_from_env(r, n, name, field, form, out)
                       : secret_from_file(r, n, name, field, form, out);
}

/* ── references ──────────────────────────────────────────────────────────────────────────────── */

void reader_refer(struct reader *r, enum reference_kind kind, const struct node *at,
                  const char *name, unsigned *index)
{
    struct reference *ref = ARENA_NEW(r->scratch, struct reference);
    *ref = (struct reference){
        .kind = kind,
        .name = name,
        .path = (const char *)arena_keep(r->scratch, span_of(r->path, r->path_len)).at,
        .place = place_of(r, at),
        .index = index,
    };
    *r->references_end = ref;
    r->references_end = &ref->next;
}
