/* option.c: walking the table: defaults, reading, keys nobody knows; and the types that nest. */
#include "option.h"

#include "value.h"

#include <assert.h>
#include <stdlib.h>

bool key_is_ignored(struct span key)
{
    return span_starts(key, SPAN_LIT("x-"));
}

static void *member(void *object, const struct option *row)
{
    return (uint8_t *)object + row->offset;
}

/* ── defaults ────────────────────────────────────────────────────────────────────────────────── */

void object_defaults(const struct object *o, void *at)
{
    for (unsigned i = 0; i < o->nrows; i++) {
        const struct option *row = &o->rows[i];
        if (row->type == &type_group)
            object_defaults(row->object, member(at, row));
        if (row->fallback == NULL)
            continue;
        struct err why = {0};
        int rc = row->type->parse(row, span_text(row->fallback), member(at, row), &why);
        assert(rc == 0); /* our own table */
        (void)rc;
    }
}

void *object_baseline(const struct object *o, const char *key)
{
    void *at = xcalloc(1, o->size);
    object_defaults(o, at);
    if (key != NULL)
        memcpy(at, &key, sizeof(key));
    if (o->begin != NULL)
        o->begin(NULL, at);
    return at;
}

/* ── keys ────────────────────────────────────────────────────────────────────────────────────── */

static const struct option *row_named(const struct object *o, struct span key)
{
    for (unsigned i = 0; i < o->nrows; i++)
        if (span_eq(span_text(o->rows[i].name), key))
            return &o->rows[i];
    return NULL;
}

static void offer_rows(struct suggestion *s, const struct object *o)
{
    for (unsigned i = 0; i < o->nrows; i++)
        suggestion_offer(s, o->rows[i].name);
}

static void report_unknown(struct reader *r, const struct object *o, const struct node_entry *e)
{
    if (r->findings->errors >= FINDINGS_MAX)
        return findings_error(r->findings, (struct place){0}, "", "unknown key"); /* only counted */
    struct suggestion near = {.text = e->key};
    offer_rows(&near, o);
    if (o->shorthand != NULL)
        offer_rows(&near, o->shorthand);
    size_t before = reader_enter(r, e->key);
    if (near.best != NULL)
        reader_error_entry(r, e, "unknown key (did you mean \"%s\"?)", near.best);
    else
        reader_error_entry(r, e, "unknown key (the reference lists them; x-%.*s would be ignored)",
                           SPAN_FMT(span_sub(e->key, 0, 40)));
    reader_leave(r, before);
}

static void check_keys(struct reader *r, const struct object *o, const struct node *n)
{
    for (unsigned i = 0; i < n->nentries; i++) {
        struct span key = n->entries[i].key;
        bool known = key_is_ignored(key) || row_named(o, key) != NULL ||
                     (o->shorthand != NULL && row_named(o->shorthand, key) != NULL);
        if (!known)
            report_unknown(r, o, &n->entries[i]);
    }
}

/* ── rows ────────────────────────────────────────────────────────────────────────────────────── */

static void read_value(struct reader *r, const struct option *row, const struct node *n, void *at)
{
    if (row->type->read != NULL) {
        row->type->read(r, row, n, at);
        return;
    }
    struct err why = {0};
    const char *text = reader_text(r, n);
    if (text != NULL && row->type->parse(row, span_text(text), at, &why) < 0)
        reader_error(r, n, "%s", why.text);
}

static void read_row(struct reader *r, const struct object *o, const struct option *row,
                     const struct node *n, void *object_at)
{
    size_t before = reader_enter(r, span_text(row->name));
    if (row->inert)
        reader_warning(r, n, "is read and checked, but this version does not use it yet");
    read_value(r, row, n, member(object_at, row));
    if (row->known_bit != 0) {
        unsigned *known = (unsigned *)(void *)((uint8_t *)object_at + o->known_offset);
        *known |= row->known_bit;
    }
    reader_leave(r, before);
}

static void report_missing(struct reader *r, const struct option *row, const struct node *n)
{
    size_t before = reader_enter(r, span_text(row->name));
    reader_error(r, n, "is missing (%s)", row->doc);
    reader_leave(r, before);
}

bool object_has_row(const struct object *o, const char *name)
{
    for (unsigned i = 0; i < o->nrows; i++)
        if (strcmp(o->rows[i].name, name) == 0)
            return true;
    return false;
}

static void read_rows(struct reader *r, const struct object *o, const struct object *but,
                      const struct node *n, void *at)
{
    for (unsigned i = 0; i < o->nrows; i++) {
        const struct option *row = &o->rows[i];
        if (but != NULL && object_has_row(but, row->name))
            continue;
        const struct node *value = node_get(n, row->name);
        if (value != NULL)
            read_row(r, o, row, value, at);
        else if (row->required && n != NULL)
            report_missing(r, row, n);
        else if (row->type == &type_group) /* its `finish` completes the defaults */
            object_read(r, row->object, NULL, member(at, row));
    }
}

static void read_object(struct reader *r, const struct object *o, const struct object *but,
                        const struct node *n, void *at)
{
    read_rows(r, o, but, n, at);
    if (o->finish != NULL)
        o->finish(r, n, at);
}

void object_read_shared(struct reader *r, const struct object *o, const struct object *owner,
                        const struct node *n, void *at)
{
    read_object(r, o, owner, n, at);
}

void object_read(struct reader *r, const struct object *o, const struct node *n, void *at)
{
    if (n != NULL && n->kind != NODE_MAP && !node_is_null(n)) {
        reader_error(r, n,
                     "a map was expected (write { key: value }, or one \"key: value\" a line)");
        n = NULL;
    }
    if (n != NULL && n->kind == NODE_MAP)
        check_keys(r, o, n);
    read_object(r, o, NULL, n, at);
}

/* ── types that nest ─────────────────────────────────────────────────────────────────────────── */

static void read_group(struct reader *r, const struct option *o, const struct node *n, void *at)
{
    object_read(r, o->object, n, at);
}

static int write_group(const struct writer *w, const struct option *o, const void *at)
{
    return object_write(w, o->object, at, NULL);
}

static int schema_object(const struct option *o, struct buf *out)
{
    return object_schema(o->object, out);
}

const struct option_type type_group = {"map", NULL, read_group, write_group, schema_object};

static void set_array(const struct option *o, void *at, void *array, unsigned count)
{
    memcpy(at, &array, sizeof(array));
    memcpy((uint8_t *)at - o->offset + o->count_offset, &count, sizeof(count));
}

static void read_list(struct reader *r, const struct option *o, const struct node *n, void *at)
{
    if (node_is_null(n))
        return; /* all items are commented out */
    if (n->kind != NODE_LIST) {
        reader_error(r, n, "a list was expected (write \"- \" before each item)");
        return;
    }
    if (n->nentries == 0 && !o->may_be_empty) {
        reader_error(r, n, "the list is empty (name something, or leave the line out)");
        return;
    }
    uint8_t *array = arena_alloc(r->arena, o->object->size * (n->nentries + 1));
    set_array(o, at, array, n->nentries);
    for (unsigned i = 0; i < n->nentries; i++) {
        size_t before = reader_enter_item(r, i);
        void *item = array + i * o->object->size;
        object_defaults(o->object, item);
        if (o->object->begin != NULL)
            o->object->begin(n->entries[i].value, item);
        object_read(r, o->object, n->entries[i].value, item);
        reader_leave(r, before);
    }
}

/* Elements start with `const char *`, their key. Every key is a name here, even one with x- (x-ai is
 * a provider). One slot more than needed is allocated: the demo
 * provider may follow, and references to elements must not move. */
static void read_map(struct reader *r, const struct option *o, const struct node *n, void *at)
{
    if (n->kind != NODE_MAP && !node_is_null(n)) {
        reader_error(r, n, "a map was expected (write \"name: { … }\", one a line)");
        return;
    }
    uint8_t *array = arena_alloc(r->arena, o->object->size * (n->nentries + 1));
    unsigned count = 0;
    set_array(o, at, array, 0);
    for (unsigned i = 0; i < n->nentries; i++) {
        const struct node_entry *e = &n->entries[i];
        size_t before = reader_enter(r, e->key);
        void *item = array + count++ * o->object->size;
        const char *key = (const char *)arena_keep(r->arena, e->key).at;
        object_defaults(o->object, item);
        memcpy(item, &key, sizeof(key));
        if (o->object->begin != NULL)
            o->object->begin(e->value, item);
        object_read(r, o->object, e->value, item);
        reader_leave(r, before);
    }
    set_array(o, at, array, count);
}

static void get_array(const struct option *o, const void *at, const uint8_t **array,
                      unsigned *count)
{
    memcpy(array, at, sizeof(*array));
    memcpy(count, (const uint8_t *)at - o->offset + o->count_offset, sizeof(*count));
}

static int write_element(const struct writer *w, const struct object *o, const void *item,
                         const char *key)
{
    void *baseline = w->everything ? NULL : object_baseline(o, key);
    size_t before = buf_len(w->out);
    int rc = object_write(w, o, item, baseline);
    if (rc == 0 && buf_len(w->out) == before) /* all as usual, but it is there */
        rc = buf_add_text(w->out, "{}");
    free(baseline);
    return rc;
}

static int write_list(const struct writer *w, const struct option *o, const void *at)
{
    const uint8_t *array;
    unsigned count;
    get_array(o, at, &array, &count);
    if (count == 0)
        return 0;
    struct writer inner = *w;
    inner.is_block = false;
    int rc = buf_add_text(w->out, w->is_block ? "" : "[");
    for (unsigned i = 0; rc == 0 && i < count; i++) {
        rc = buf_add_text(w->out, w->is_block ? "\n  - " : i == 0 ? "" : ", ");
        if (rc == 0)
            rc = write_element(&inner, o->object, array + i * o->object->size, NULL);
    }
    return rc == 0 ? buf_add_text(w->out, w->is_block ? "" : "]") : rc;
}

static int write_map(const struct writer *w, const struct option *o, const void *at)
{
    const uint8_t *array;
    unsigned count;
    get_array(o, at, &array, &count);
    if (count == 0)
        return 0;
    struct writer inner = *w;
    inner.is_block = false;
    int rc = buf_add_text(w->out, w->is_block ? "" : "{ ");
    for (unsigned i = 0; rc == 0 && i < count; i++) {
        const void *item = array + i * o->object->size;
        const char *key;
        if (item == w->snap->text->demo_provider || item == w->snap->text->demo_model)
            continue; /* `demo` says it */
        memcpy(&key, item, sizeof(key));
        rc = buf_add_text(w->out, w->is_block ? "\n  " : i == 0 ? "" : ", ");
        if (rc == 0)
            rc = write_scalar(w->out, key);
        if (rc == 0)
            rc = buf_add_text(w->out, ": ");
        if (rc == 0)
            rc = write_element(&inner, o->object, item, key);
    }
    return rc == 0 ? buf_add_text(w->out, w->is_block ? "" : " }") : rc;
}

static int schema_list(const struct option *o, struct buf *out)
{
    int rc = buf_addf(out, "\"type\":\"array\",%s\"items\":{",
                      o->may_be_empty ? "" : "\"minItems\":1,");
    if (rc == 0)
        rc = object_schema(o->object, out);
    return rc == 0 ? buf_add_text(out, "}") : rc;
}

static int schema_map(const struct option *o, struct buf *out)
{
    int rc = buf_add_text(out, "\"type\":[\"object\",\"null\"],\"additionalProperties\":{");
    if (rc == 0)
        rc = object_schema(o->object, out);
    return rc == 0 ? buf_add_text(out, "}") : rc;
}

const struct option_type type_list = {"list of maps", NULL, read_list, write_list, schema_list};
const struct option_type type_map = {"map of maps", NULL, read_map, write_map, schema_map};
